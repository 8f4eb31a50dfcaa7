"""Revenue from lots: what came back of their uses, row by row, and up to where the costs of uses are booked.

Revision ID: 0029_revenue
Revises: 0028_usage_charges
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision: str = "0029_revenue"
down_revision: str | None = "0028_usage_charges"
branch_labels: str | None = None
depends_on: str | None = None

#: By which transfer something came back before was not written down: it counts with the use.
_RETURNS = """
INSERT INTO ledger.lot_returns (transfer_id, used_by, leg, lot_id, account_id, amount, cost)
SELECT u.transfer_id, u.transfer_id, u.leg, u.lot_id, l.account_id, n.amount, n.cost
FROM ledger.lot_uses u JOIN ledger.lots l ON l.id = u.lot_id,
    LATERAL (VALUES (u.returned, u.cost_returned), (u.passed, u.cost_passed)) AS n (amount, cost)
WHERE n.amount > 0
"""
#: Deferred revenue becomes what was paid for all lots that were ever sold, before the first batch goes through their
#: uses. It differs where money went back: that is taken from revenue, as it is from now on.
_OPENING = """
SELECT ledger.post('revenue:' || p.begun || ':opening:' || n.asset, 'revenue.opened',
    CASE WHEN n.lacking > 0 THEN r.id ELSE d.id END, CASE WHEN n.lacking > 0 THEN d.id ELSE r.id END,
    abs(n.lacking), NULL, now())
FROM ledger.revenue_place p, (
    SELECT asset, sum(amount)::bigint AS lacking FROM (
        SELECT l.paid_asset, l.paid FROM ledger.lots l WHERE l.parent_id IS NULL AND l.paid > 0
        UNION ALL
        SELECT a.asset, -b.posted FROM ledger.accounts a JOIN ledger.balances b ON b.account_id = a.id
        WHERE a.path = 'platform/deferred_revenue'
    ) AS sums (asset, amount)
    GROUP BY asset HAVING sum(amount) <> 0
) n,
    LATERAL (SELECT ledger.revenue_account('platform/deferred_revenue', n.asset) AS id) d,
    LATERAL (SELECT ledger.revenue_account('platform/revenue/credits', n.asset) AS id) r
"""
_NONE = "'00000000-0000-0000-0000-000000000000'"


def upgrade() -> None:
    op.create_table(
        "lot_returns",
        sa.Column("transfer_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("used_by", sa.Uuid(), nullable=False),
        sa.Column("leg", sa.BigInteger(), nullable=False),
        sa.Column("lot_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount > 0 AND cost >= 0", name=op.f("ck_lot_returns_amount")),
        sa.PrimaryKeyConstraint("transfer_id", "number", name=op.f("pk_lot_returns")),
        schema="ledger",
    )
    op.create_table(
        "revenue_place",
        sa.Column("id", sa.SmallInteger(), server_default=sa.text("1"), autoincrement=False, nullable=False),
        sa.Column("begun", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        *(sa.Column(name, sa.Uuid(), nullable=False) for name in ("booked", "settled", "mark")),
        sa.Column("mark_in", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_revenue_place_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_revenue_place")),
        schema="ledger",
    )
    # Nothing is written between the sums and what they are booked by.
    op.execute("LOCK TABLE ledger.transfers, ledger.lot_uses IN SHARE ROW EXCLUSIVE MODE")
    op.execute(
        "INSERT INTO ledger.revenue_place (booked, settled, mark, mark_in)"
        f" VALUES ({_NONE}, {_NONE}, {_NONE}, 0)"
    )
    op.execute(_RETURNS)
    run("ledger/sql/lots.sql")
    run("ledger/sql/revenue.sql")
    op.execute(_OPENING)


def downgrade() -> None:
    for function in (
        "recognise_revenue(integer, interval)",
        "settle_uses(interval)",
        "revenue_account(text, text)",
        "lot_costs(uuid, uuid)",
        "cost_path(text)",
    ):
        op.execute(f"DROP FUNCTION ledger.{function}")
    op.drop_table("revenue_place", schema="ledger")
    op.drop_table("lot_returns", schema="ledger")
