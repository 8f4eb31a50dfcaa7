"""Statistics of credits: what organizations got, by lots, and what they used, by days."""

from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from ledger.invariants import Invariant
from models.books.ledger import LedgerAccount, LedgerTransfer
from models.books.ledger_lot import LedgerLot
from models.credits.credit_day import CreditDay

#: The transfer that brings what a payment has bought.
_RECEIVED = "payment.received"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditUse:
    """The use of credits over all days and over the latest ones, in minor units.

    Attributes:
        used: over all days.
        refunded: over all days.
        expired: over all days.
        recent: used and not refunded, on the latest days.
        first_day: the first day on which any was used; None if there is none.
    """

    used: int
    refunded: int
    expired: int
    recent: int
    first_day: date | None


async def received_by_source(session: AsyncSession, org_id: str) -> dict[str, int]:
    """Return how many credits the organization got, by their source, whatever became of them.

    What a payment buys opens its lot on the payment's account, and what comes back after a refund or a dispute opens
    another one there, which is not bought again.
    """
    lot = LedgerLot
    bought = exists().where(LedgerTransfer.id == lot.transfer_id, LedgerTransfer.kind == _RECEIVED)
    query = (
        select(lot.source, func.sum(lot.amount))
        .where(lot.org_id == org_id, lot.parent_id.is_(None), or_(lot.lapses, bought))
        .group_by(lot.source)
    )
    return {source: int(amount) for source, amount in await session.execute(query)}


async def earned(session: AsyncSession, org_id: str) -> int:
    """Return how many credits the organization has converted of what its agents had earned from others."""
    lot, parent = aliased(LedgerLot), aliased(LedgerLot)
    query = (
        select(func.coalesce(func.sum(lot.amount), 0))
        .join(parent, parent.id == lot.parent_id)
        .join(LedgerAccount, LedgerAccount.id == parent.account_id)
        .where(lot.org_id == org_id, lot.lapses, lot.source == "earnings", LedgerAccount.path.startswith("agent/"))
    )
    return int(await session.scalar(query) or 0)


async def use_of(session: AsyncSession, org_id: str, *, today: date, recent_days: int) -> CreditUse:
    """Return what the organization used, in all and on the latest days, today among them."""
    latest = CreditDay.day > today - timedelta(days=recent_days)
    query = select(
        func.coalesce(func.sum(CreditDay.used), 0),
        func.coalesce(func.sum(CreditDay.refunded), 0),
        func.coalesce(func.sum(CreditDay.expired), 0),
        func.coalesce(func.sum(CreditDay.used - CreditDay.refunded).filter(latest), 0),
        func.min(CreditDay.day).filter(CreditDay.used > 0),
    ).where(CreditDay.org_id == org_id)
    used, refunded, expired, recent, first_day = (await session.execute(query)).one()
    return CreditUse(
        used=int(used), refunded=int(refunded), expired=int(expired), recent=int(recent), first_day=first_day
    )


#: What `verify` proves about these rows.
INVARIANTS = (
    Invariant(
        name="what was used each day adds up from the spends, their captures and refunds, and the lots that expired",
        table="ledger.credit_days",
        unit="days",
        violations="""
        SELECT 'day ' || coalesce(d.day, n.day) || ' of ' || coalesce(d.org_id, n.org_id) ||
            ': used, refunded, expired, spends ' ||
            coalesce(concat_ws(' ', d.used, d.refunded, d.expired, d.spends), 'none') || ', by the books ' ||
            coalesce(concat_ws(' ', n.used, n.refunded, n.expired, n.spends), 'none')
        FROM ledger.credit_days d
        FULL JOIN (
            SELECT org_id, (at AT TIME ZONE 'UTC')::date AS day, sum(used) AS used, sum(refunded) AS refunded,
                sum(expired) AS expired, sum(spends) AS spends
            FROM (
                SELECT s.org_id, s.at, CASE WHEN s.expires_at IS NULL THEN s.amount ELSE 0 END AS used, 0 AS refunded,
                    0 AS expired, 1 AS spends
                FROM ledger.spends s
                UNION ALL
                SELECT c.org_id, c.at, CASE c.kind WHEN 'capture' THEN c.amount ELSE 0 END,
                    CASE c.kind WHEN 'refund' THEN c.amount ELSE 0 END, 0, 0
                FROM ledger.spend_changes c WHERE c.kind IN ('capture', 'refund')
                UNION ALL
                SELECT t.org_id, t.effective_at, 0, 0, -e.amount, 0
                FROM ledger.transfers t JOIN ledger.entries e ON e.transfer_id = t.id AND e.amount < 0
                WHERE t.kind = 'credit.expired'
            ) parts
            GROUP BY 1, 2
        ) n ON n.org_id = d.org_id AND n.day = d.day
        WHERE (d.used, d.refunded, d.expired, d.spends) IS DISTINCT FROM (n.used, n.refunded, n.expired, n.spends)
        """,
    ),
)
