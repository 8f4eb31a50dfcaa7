"""A refund of a spend that made a debt goes back into the lots that have paid the debt.

Revision ID: 0193_refunded_debts
Revises: 0192_free_uses_fit
"""

from migrations.scripts import run

revision: str = "0193_refunded_debts"
down_revision: str | None = "0192_free_uses_fit"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    run("ledger/sql/spend_changes.sql")


def downgrade() -> None:
    """Leave the function: it refunds the same amounts."""
