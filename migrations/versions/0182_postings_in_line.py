"""Postings that wait for one balance wait in a line, as charges do: a commit wakes one of them, and not all.

Revision ID: 0182_postings_in_line
Revises: 0178_more_escrow_notes
"""

from migrations.scripts import run

revision: str = "0182_postings_in_line"
down_revision: str | None = "0178_more_escrow_notes"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    run("ledger/sql/post.sql")
    run("ledger/sql/spend_quick.sql")


def downgrade() -> None:
    """Leave the function: it posts the same."""
