"""Contracts that exclude approvals by operators.

Revision ID: 0012_operator_approvals
Revises: 0011_lock_order
"""

import sqlalchemy as sa
from alembic import op

revision = "0012_operator_approvals"
down_revision = "0011_lock_order"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "contracts", sa.Column("operator_approvals", sa.Boolean(), server_default=sa.text("true"), nullable=False)
    )


def downgrade() -> None:
    op.drop_column("contracts", "operator_approvals")
