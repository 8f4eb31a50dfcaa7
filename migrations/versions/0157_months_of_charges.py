"""The month in which a charged usage event counts, by the time zone of its organization's terms.

Events that came in before have none, and count in the month in UTC, as they did.

Revision ID: 0157_months_of_charges
Revises: 0156_who_asked_for_credits
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0157_months_of_charges"
down_revision: str | None = "0156_who_asked_for_credits"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column("usage_charges", sa.Column("month", sa.Date(), nullable=True))


def downgrade() -> None:
    op.drop_column("usage_charges", "month")
