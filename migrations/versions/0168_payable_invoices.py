"""What no provider can charge of an invoice is rounded off the amount due, so that it can be paid.

Revision ID: 0168_payable_invoices
Revises: 0165_sums_of_tokens
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision: str = "0168_payable_invoices"
down_revision: str | None = "0165_sums_of_tokens"
branch_labels: str | None = None
depends_on: str | None = None

_LEAST = (
    "least(paid_minor, subtotal_minor, tax_minor, prepaid_minor, granted_minor, credited_minor, written_off_minor, "
    "prepaid_credits_minor, granted_credits_minor, taxed_minor, taxed_credits_minor{more}) >= 0 "
)
_SETTLED = "paid_minor + prepaid_minor{more} + credited_minor + written_off_minor"
_NOTE = "amount_minor > 0 AND amount_minor = net_minor + tax_minor "


def upgrade() -> None:
    for table in ("invoices", "credit_notes"):
        op.add_column(table, sa.Column("rounded_minor", sa.BigInteger(), server_default="0", nullable=False))
    _invoices(", rounded_minor", " + rounded_minor")
    _notes(", rounded_minor", " + rounded_minor")
    op.execute("GRANT UPDATE (rounded_minor) ON invoices TO bursar_platform")
    for name in ("billing", "billing_runs", "event_facts"):
        run(f"repositories/sql/{name}.sql")


def downgrade() -> None:
    _invoices("", "")
    _notes("", "")
    for table in ("invoices", "credit_notes"):
        op.drop_column(table, "rounded_minor")


def _invoices(more: str, summand: str) -> None:
    settled = _SETTLED.format(more=summand)
    _replace(
        "invoices",
        "amounts",
        f"{_LEAST.format(more=more)}AND total_minor = subtotal_minor + tax_minor AND {settled} <= total_minor",
    )
    _replace(
        "invoices",
        "status",
        "CASE status WHEN 'draft' THEN num_nonnulls(number, transfer_id, finalise_command_id) = 0 "
        "WHEN 'void' THEN paid_minor = 0 AND finalise_command_id IS NOT NULL "
        "ELSE finalise_command_id IS NOT NULL AND CASE status "
        f"WHEN 'open' THEN {settled} < total_minor WHEN 'paid' THEN {settled} = total_minor "
        f"WHEN 'uncollectible' THEN {settled} = total_minor AND written_off_minor > 0 ELSE false END END",
    )


def _notes(more: str, summand: str) -> None:
    _replace(
        "credit_notes",
        "amounts",
        f"{_NOTE}AND least(net_minor, tax_minor, prepaid_minor, credits_minor{more}) >= 0 "
        f"AND prepaid_minor{summand} <= amount_minor",
    )


def _replace(table: str, name: str, rule: str) -> None:
    full = op.f(f"ck_{table}_{name}")
    op.drop_constraint(full, table)
    # Every row keeps the rule before, and the new column is zero in all of them.
    op.create_check_constraint(full, table, rule, postgresql_not_valid=True)
