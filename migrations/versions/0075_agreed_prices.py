"""Prices of plans that were agreed with an organization.

Revision ID: 0075_agreed_prices
Revises: 0074_refunded_subscriptions
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0075_agreed_prices"
down_revision: str | None = "0074_refunded_subscriptions"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column(
        "billing_terms",
        sa.Column("plan_prices", postgresql.JSONB(), server_default=sa.text("'[]'"), nullable=False),
    )


def downgrade() -> None:
    op.drop_column("billing_terms", "plan_prices")
