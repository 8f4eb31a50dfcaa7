"""A use that costs nothing fits where nothing is left of a limit, also one that was lowered below what is spent.

Revision ID: 0192_free_uses_fit
Revises: 0191_refused_reservations
"""

from migrations.scripts import run

revision: str = "0192_free_uses_fit"
down_revision: str | None = "0191_refused_reservations"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    run("ledger/sql/spend.sql")


def downgrade() -> None:
    """Leave the function: it refuses what costs something."""
