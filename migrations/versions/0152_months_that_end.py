"""Months of agents that are not renewed are found when they are over.

Revision ID: 0152_months_that_end
Revises: 0151_payloads_forgotten
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0152_months_that_end"
down_revision: str | None = "0151_payloads_forgotten"
branch_labels: str | None = None
depends_on: str | None = None

_TABLE = "marketplace_purchases"


def upgrade() -> None:
    ending = sa.text("status = 'active' AND renews_at IS NULL AND ends_at IS NOT NULL")
    op.create_index(f"ix_{_TABLE}_ends_at", _TABLE, ["ends_at"], postgresql_where=ending)


def downgrade() -> None:
    op.drop_index(f"ix_{_TABLE}_ends_at", table_name=_TABLE)
