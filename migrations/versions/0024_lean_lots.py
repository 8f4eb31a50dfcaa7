"""Fewer constraints of lots, because each is parsed again for every posting, and an index of what expired of them.

Revision ID: 0024_lean_lots
Revises: 0023_auto_topups
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision: str = "0024_lean_lots"
down_revision: str | None = "0023_auto_topups"
branch_labels: str | None = None
depends_on: str | None = None

_BEFORE = {
    "lots": {
        "amounts": "held >= 0 AND remaining >= held AND amount >= remaining AND amount > 0",
        "paid": "costed >= 0 AND paid >= costed AND (paid = 0 OR paid_asset IS NOT NULL)",
        "is_open": "is_open = (remaining > 0)",
        "source": (
            "source IN ('purchase', 'promotion', 'signup', 'subscription', 'reward', 'refund', 'adjustment', 'debt')"
        ),
    },
    "lot_uses": {
        "amount": "amount > 0 AND cost >= 0",
        "returned": (
            "returned BETWEEN 0 AND amount AND passed BETWEEN 0 AND amount"
            " AND cost_returned BETWEEN 0 AND cost AND cost_passed BETWEEN 0 AND cost"
        ),
        "outcome": "outcome IN ('moved', 'used', 'expired', 'reversed')",
        "to_lot": "(outcome = 'moved') = (to_lot IS NOT NULL)",
    },
}
#: What must never be whoever is wrong; `ledger verify` proves the rest.
_AMOUNTS = "held >= 0 AND remaining >= held AND amount >= remaining AND paid >= costed"


def upgrade() -> None:
    for table, rules in _BEFORE.items():
        for name in rules:
            op.drop_constraint(f"ck_{table}_{name}", table, schema="ledger")
    op.create_check_constraint(op.f("ck_lots_amounts"), "lots", _AMOUNTS, schema="ledger")
    op.create_index(
        "ix_lot_uses_expired",
        "lot_uses",
        ["lot_id"],
        schema="ledger",
        postgresql_where=sa.text("outcome = 'expired'"),
    )
    run("ledger/sql/lots.sql")


def downgrade() -> None:
    op.drop_index("ix_lot_uses_expired", table_name="lot_uses", schema="ledger")
    op.drop_constraint("ck_lots_amounts", "lots", schema="ledger")
    for table, rules in _BEFORE.items():
        for name, rule in rules.items():
            op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, rule, schema="ledger")
