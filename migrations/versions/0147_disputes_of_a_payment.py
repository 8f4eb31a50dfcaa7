"""Chargebacks are found by their payment.

Revision ID: 0147_disputes_of_a_payment
Revises: 0146_lots_of_payments
"""

from alembic import op

revision: str = "0147_disputes_of_a_payment"
down_revision: str | None = "0146_lots_of_payments"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_index("ix_payment_disputes_payment_id", "payment_disputes", ["payment_id"])


def downgrade() -> None:
    op.drop_index("ix_payment_disputes_payment_id", table_name="payment_disputes")
