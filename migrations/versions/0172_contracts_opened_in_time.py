"""The escrow of a contract is opened in time; contracts of before can be opened for a week from now on.

Revision ID: 0172_contracts_opened_in_time
Revises: 0171_charges_in_line
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0172_contracts_opened_in_time"
down_revision: str | None = "0171_charges_in_line"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    # The default is computed once, and no row is rewritten for it.
    week = sa.text("now() + interval '7 days'")
    op.add_column("contracts", sa.Column("open_by", sa.DateTime(timezone=True), nullable=False, server_default=week))


def downgrade() -> None:
    op.drop_column("contracts", "open_by")
