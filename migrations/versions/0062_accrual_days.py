"""The day that each bill of a subscription is booked for last, so that the next one is found by an index.

Revision ID: 0062_accrual_days
Revises: 0061_invoice_collections
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0062_accrual_days"
down_revision: str | None = "0061_invoice_collections"
branch_labels: str | None = None
depends_on: str | None = None

_INDEX = "ix_subscription_bills_deferred"
_DEFERRED = sa.text("granted_minor + accrued_minor < amount_minor")


def upgrade() -> None:
    op.execute(
        """
        UPDATE subscription_bills SET accrued_on = (greatest(
            CASE WHEN for_credits THEN period_end - interval '1 microsecond' ELSE period_start END, settled_at
        ) AT TIME ZONE 'UTC')::date - 1 WHERE accrued_on IS NULL
        """
    )
    op.alter_column("subscription_bills", "accrued_on", existing_type=sa.Date(), nullable=False)
    op.drop_index(_INDEX, "subscription_bills")
    op.create_index(_INDEX, "subscription_bills", ["accrued_on", "provider", "bill_ref"], postgresql_where=_DEFERRED)


def downgrade() -> None:
    op.drop_index(_INDEX, "subscription_bills")
    op.create_index(_INDEX, "subscription_bills", ["provider", "bill_ref"], postgresql_where=_DEFERRED)
    op.alter_column("subscription_bills", "accrued_on", existing_type=sa.Date(), nullable=True)
