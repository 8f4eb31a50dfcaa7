"""Periods of subscriptions are invoiced on net terms: a bill is noted when it is requested, and settled when it is paid.

Revision ID: 0089_net_terms
Revises: 0088_webhook_endpoints
"""

from alembic import op

revision: str = "0089_net_terms"
down_revision: str | None = "0088_webhook_endpoints"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.alter_column("subscription_bills", "settled_at", nullable=True)
    op.execute("GRANT UPDATE (payment_id, settled_at) ON subscription_bills TO bursar_platform")


def downgrade() -> None:
    op.execute("UPDATE subscription_bills SET settled_at = period_start WHERE settled_at IS NULL")
    op.execute("REVOKE UPDATE (payment_id, settled_at) ON subscription_bills FROM bursar_platform")
    op.alter_column("subscription_bills", "settled_at", nullable=False)
