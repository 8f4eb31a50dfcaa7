"""Trials that begin on a page of the provider, where the card is entered later.

Revision ID: 0077_trials_by_page
Revises: 0076_tax_at_sale
"""

from alembic import op

revision: str = "0077_trials_by_page"
down_revision: str | None = "0076_tax_at_sale"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.alter_column("subscription_trials", "card", nullable=True)
    op.execute("GRANT UPDATE (card) ON subscription_trials TO bursar_platform")


def downgrade() -> None:
    op.execute("REVOKE UPDATE (card) ON subscription_trials FROM bursar_platform")
    op.execute("DELETE FROM subscription_trials WHERE card IS NULL")
    op.alter_column("subscription_trials", "card", nullable=False)
