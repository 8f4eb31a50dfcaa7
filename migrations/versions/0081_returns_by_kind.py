"""Credits that come back can be those of one kind, such as the ones that were taxed when they were sold.

Revision ID: 0081_returns_by_kind
Revises: 0080_creator_statements
"""

from migrations.scripts import run

revision: str = "0081_returns_by_kind"
down_revision: str | None = "0080_creator_statements"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    run("ledger/sql/lots.sql")


def downgrade() -> None:
    """Leave the function: the release before calls it as it did."""
