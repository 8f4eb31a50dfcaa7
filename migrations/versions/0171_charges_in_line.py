"""Charges that wait for one organization wait in a line: a commit wakes one of them, and not all.

Revision ID: 0171_charges_in_line
Revises: 0168_payable_invoices
"""

from migrations.scripts import run

revision: str = "0171_charges_in_line"
down_revision: str | None = "0168_payable_invoices"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    run("ledger/sql/spend_quick.sql")


def downgrade() -> None:
    """Leave the function: it charges the same."""
