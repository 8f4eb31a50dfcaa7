"""Refusals to capture or to extend a reservation say what would be possible, for the API to say it in its own words.

Revision ID: 0191_refused_reservations
Revises: 0189_number_gaps
"""

from migrations.scripts import run

revision: str = "0191_refused_reservations"
down_revision: str | None = "0189_number_gaps"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    run("ledger/sql/spend_changes.sql")


def downgrade() -> None:
    """Leave the functions: they refuse the same."""
