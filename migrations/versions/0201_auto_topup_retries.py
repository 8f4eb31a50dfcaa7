"""A declined automatic top-up is tried again, on the days of dunning, before it is switched off.

Revision ID: 0201_auto_topup_retries
Revises: 0199_bad_work_stays
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0201_auto_topup_retries"
down_revision: str | None = "0199_bad_work_stays"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column("auto_topups", sa.Column("failures", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.add_column("auto_topups", sa.Column("retry_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("auto_topups", "retry_at")
    op.drop_column("auto_topups", "failures")
