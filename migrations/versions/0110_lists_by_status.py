"""Payments of an organization and events of providers are listed by state from an index.

Revision ID: 0110_lists_by_status
Revises: 0113_rules_with_ladders
"""

from alembic import op

revision: str = "0110_lists_by_status"
down_revision: str | None = "0113_rules_with_ladders"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_index("ix_payments_org_id_status_id", "payments", ["org_id", "status", "id"])
    op.create_index("ix_provider_events_status_id", "provider_events", ["status", "id"])


def downgrade() -> None:
    op.drop_index("ix_provider_events_status_id", "provider_events")
    op.drop_index("ix_payments_org_id_status_id", "payments")
