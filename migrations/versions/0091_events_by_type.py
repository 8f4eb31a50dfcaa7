"""Events of one type are found without those of others.

Revision ID: 0091_events_by_type
Revises: 0090_sales
"""

from alembic import op

revision: str = "0091_events_by_type"
down_revision: str | None = "0090_sales"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_index("ix_events_org_id_type_written_in_id", "events", ["org_id", "type", "written_in", "id"])


def downgrade() -> None:
    op.drop_index("ix_events_org_id_type_written_in_id", "events")
