"""The spend controls of a spend are looked up by its subjects, and not among all of its organization's.

Revision ID: 0149_found_controls
Revises: 0148_voids_that_hold
"""

from migrations.scripts import run

revision: str = "0149_found_controls"
down_revision: str | None = "0148_voids_that_hold"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    run("ledger/sql/controls.sql")


def downgrade() -> None:
    """Leave the function: it finds the same controls."""
