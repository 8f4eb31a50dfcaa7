"""Postings that ask for a stripe only of accounts that have stripes.

Revision ID: 0208_stripes_where_they_are
Revises: 0207_when_the_api_was_away
"""

from migrations.scripts import run

revision: str = "0208_stripes_where_they_are"
down_revision: str | None = "0207_when_the_api_was_away"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    run("ledger/sql/post.sql")


def downgrade() -> None:
    """Leave the function: it posts the same."""
