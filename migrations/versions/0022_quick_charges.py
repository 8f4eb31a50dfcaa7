"""Charges that fit by one function, and rules of spends that `verify` proves instead of each insert.

Revision ID: 0022_quick_charges
Revises: 0021_payment_reads
"""

from alembic import op

from migrations.scripts import run

revision: str = "0022_quick_charges"
down_revision: str | None = "0021_payment_reads"
branch_labels: str | None = None
depends_on: str | None = None

_BEFORE = (
    "status IN ('charged', 'reserved', 'captured', 'released', 'expired', 'refunded')"
    " AND captured BETWEEN 0 AND amount AND refunded BETWEEN 0 AND captured"
    " AND released BETWEEN 0 AND amount - captured"
    " AND (status = 'reserved' OR captured + released = amount)"
    " AND (status <> 'reserved' OR released = 0 AND hold_id IS NOT NULL)"
    " AND (expires_at IS NULL) = (hold_id IS NULL)"
)
_COUNTED_BEFORE = "held >= 0 AND uses_spent >= 0 AND refunded BETWEEN 0 AND spent + forced"


def upgrade() -> None:
    _replace("spends", "status", "captured + released <= amount AND refunded <= captured")
    _replace("counters", "counted", "held >= 0")
    for name in ("spend", "spend_changes", "spend_batch", "spend_quick", "spend_tenants"):
        run(f"ledger/sql/{name}.sql")


def _replace(table: str, constraint: str, condition: str) -> None:
    name = op.f(f"ck_{table}_{constraint}")
    op.drop_constraint(name, table, schema="ledger")
    op.create_check_constraint(name, table, condition, schema="ledger")


def downgrade() -> None:
    op.execute("DROP FUNCTION ledger.charge_quickly")
    _replace("spends", "status", _BEFORE)
    _replace("counters", "counted", _COUNTED_BEFORE)
