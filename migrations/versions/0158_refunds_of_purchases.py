"""The command that refunded a purchase is kept, so that the same request has the same answer.

Revision ID: 0158_refunds_of_purchases
Revises: 0157_months_of_charges
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0158_refunds_of_purchases"
down_revision: str | None = "0157_months_of_charges"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column("marketplace_purchases", sa.Column("refund_command_id", sa.Text(), nullable=True))
    op.execute("GRANT UPDATE (refund_command_id) ON marketplace_purchases TO bursar_platform")


def downgrade() -> None:
    op.drop_column("marketplace_purchases", "refund_command_id")
