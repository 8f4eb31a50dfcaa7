"""Figures over time, read by indexes or from daily sums. Needs the platform's session.

Rows that have to be counted one by one are counted up to a maximum, and refused above it.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.errors import Invalid
from domain.common.ids import make_id, uuid_of
from repositories.books.account_statement import version_at
from repositories.common.listing import MARGIN

#: The maximum number of rows that a series counts one by one.
COUNTED = 100_000

_BALANCES = text(f"""
    SELECT p.place, CASE WHEN a.created_at < p.at THEN coalesce((
        SELECT e.balance_after FROM ledger.entries e
        WHERE e.account_id = a.id AND e.stripe = 0 AND e.version = v.version
    ), 0) END AS balance
    FROM unnest(CAST(:moments AS timestamptz[])) WITH ORDINALITY p (at, place)
    JOIN ledger.accounts a ON a.path = :path AND a.asset = :asset AND a.org_id = :org_id
    LEFT JOIN LATERAL ({version_at("a.id", "p.at")}) v (version) ON a.created_at < p.at
    ORDER BY p.place
""")
_PAYMENTS = """
    SELECT width_bucket(p.created_at, CAST(:bounds AS timestamptz[])) - 1 AS place, p.status, count(*) AS number,
        coalesce(sum(p.received_minor) FILTER (WHERE p.currency = :currency), 0)::bigint AS received,
        sum(count(*)) OVER () AS counted
    FROM (
        SELECT created_at, status, currency, received_minor FROM payments
        WHERE id >= :first AND id < :last {whose} LIMIT :most
    ) p GROUP BY 1, 2
"""
_EARNED = text("""
    SELECT width_bucket(e.effective_at, CAST(:bounds AS timestamptz[])) - 1 AS place,
        split_part(a.path, '/', 2) AS agent, sum(e.amount)::bigint AS earned, sum(count(*)) OVER () AS counted
    FROM (
        SELECT account_id, amount, effective_at, transfer_id FROM ledger.entries
        WHERE org_id = :org_id AND asset = :asset AND amount > 0 AND transfer_id >= :first AND transfer_id < :last
            AND account_id IN (
                SELECT id FROM ledger.accounts
                WHERE org_id = :org_id AND asset = :asset AND path LIKE 'agent/%/earnings/%'
                    AND path NOT LIKE 'escrow/%' -- as the index has it
            )
        LIMIT :most
    ) e
    JOIN ledger.accounts a ON a.id = e.account_id
    JOIN ledger.transfers t ON t.id = e.transfer_id AND t.kind NOT LIKE 'payout.%'
    GROUP BY 1, 2
""")


async def balances(
    session: AsyncSession, org_id: str, path: str, asset: str, moments: Sequence[datetime]
) -> list[int | None]:
    """Return the balance of an account at each time; None before it was opened."""
    asked = {"org_id": org_id, "path": path, "asset": asset, "moments": list(moments)}
    rows = (await session.execute(_BALANCES, asked)).all()
    return [row.balance for row in rows] if rows else [None] * len(moments)


async def payments(
    session: AsyncSession, org_id: str | None, currency: str, bounds: Sequence[datetime]
) -> list[tuple[int, str, int, int]]:
    """Return interval, status, number and received minor units of payments in a currency, requested in a period."""
    asked = {
        "bounds": list(bounds),
        "currency": currency,
        "first": _id(bounds[0] - MARGIN),
        "last": _id(bounds[-1] + MARGIN),
        "most": COUNTED + 1,
        **({} if org_id is None else {"org_id": org_id}),
    }
    query = text(_PAYMENTS.format(whose="" if org_id is None else "AND org_id = :org_id"))
    rows = (await session.execute(query, asked)).all()
    _bounded(rows[0].counted if rows else 0)
    within = range(len(bounds) - 1)
    return [(row.place, row.status, row.number, row.received) for row in rows if row.place in within]


async def earned(
    session: AsyncSession, org_id: str, asset: str, bounds: Sequence[datetime]
) -> list[tuple[int, str, int]]:
    """Return interval, agent and earned amount; returned payouts do not count."""
    first, last = (uuid_of(_id(bound)) for bound in (bounds[0] - MARGIN, bounds[-1] + MARGIN))
    asked = {"bounds": list(bounds), "org_id": org_id, "asset": asset, "first": first, "last": last}
    rows = (await session.execute(_EARNED, {**asked, "most": COUNTED + 1})).all()
    _bounded(rows[0].counted if rows else 0)
    within = range(len(bounds) - 1)
    return [(row.place, row.agent, row.earned) for row in rows if row.place in within]


def _id(moment: datetime) -> str:
    return make_id("pay", unix_ms=max(0, int(moment.timestamp() * 1000)), entropy=bytes(10))


def _bounded(counted: int) -> None:
    if counted > COUNTED:
        raise Invalid(f"There are more than {COUNTED:,} in this period. Choose a shorter one.", extra={"field": "from"})
