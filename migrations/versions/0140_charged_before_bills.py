"""What a meter counted of a month is priced once, whether credits or a bill pay for it.

Revision ID: 0140_charged_before_bills
Revises: 0139_older_keys
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0140_charged_before_bills"
down_revision: str | None = "0139_older_keys"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column("usage_bill_sums", sa.Column("charged", sa.Numeric, nullable=False, server_default=sa.text("0")))
    op.execute("GRANT UPDATE (charged) ON usage_bill_sums TO bursar_platform")


def downgrade() -> None:
    """Forget it: the release before gives free units once to credits and once to the bill."""
    op.drop_column("usage_bill_sums", "charged")
