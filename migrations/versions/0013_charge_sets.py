"""Charge sets of spends that no spend control counts.

Revision ID: 0013_charge_sets
Revises: 0012_spends
"""

from migrations.scripts import run

revision: str = "0013_charge_sets"
down_revision: str | None = "0012_spends"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    run("ledger/sql/spend_batch.sql")


def downgrade() -> None:
    """Keep the functions: the ones before refused what these charge."""
