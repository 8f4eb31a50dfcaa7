"""Lots of credits in the ledger: what is left, held and expired."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.ids import uuid_id
from ledger.invariants import Invariant
from models.books.ledger_lot import LedgerLot
from repositories.common.listing import ListFilter, Listing, ListPage

_PAGE = text(
    """
    SELECT l.id, l.org_id, l.source, l.opened_at, l.expires_at, l.priority, l.amount,
        -- What the next sweep books as expired is not there any more; what is held can be captured.
        CASE WHEN l.lapses AND l.expires_at <= now() THEN l.held ELSE l.remaining END AS remaining, l.held,
        CASE WHEN r.org_id = l.org_id THEN l.payment_id END AS payment_id,
        CASE WHEN r.org_id = l.org_id THEN l.paid ELSE 0 END AS paid, l.paid_asset, l.transfer_id, coalesce((
            SELECT sum(u.amount - u.returned) FROM ledger.lot_uses u
            WHERE u.lot_id = l.id AND u.outcome = 'expired'
        ), 0)::bigint + CASE WHEN l.lapses AND l.expires_at <= now() THEN l.remaining - l.held ELSE 0 END AS expired
    FROM ledger.lots l LEFT JOIN ledger.lots r ON r.id = l.root_id
    WHERE l.id = ANY(:ids) ORDER BY l.id DESC
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """Credits that an organization got at one time, of one source, and what is left of them, in minor units.

    The price and the payment of lots that an agent has earned are visible to the payer only.
    """

    id: str
    org_id: str
    source: str
    opened_at: datetime
    expires_at: datetime | None
    priority: int
    amount: int
    remaining: int
    held: int
    expired: int
    payment_id: str | None
    paid: int
    paid_asset: str | None
    transfer_id: UUID


_LIST = Listing(of=LedgerLot, order=[LedgerLot.id], created="opened_at", amount="amount")


async def page(session: AsyncSession, wanted: ListFilter) -> ListPage[Lot]:
    """Return a page of the lots of an organization's credits, newest first."""
    part = (LedgerLot.org_id == wanted.org_id, LedgerLot.lapses.is_(True))
    found = await _LIST.page(session, wanted, [part])
    rows = await session.execute(_PAGE, {"ids": [row.id for row in found.rows]})
    return ListPage([Lot(**{**row._mapping, "id": uuid_id("lot", row.id)}) for row in rows], found.following)


#: What `verify` proves about lots and the books.
INVARIANTS = (
    Invariant(
        name="the lots of each account add up to its balance, and what is held of them to its reserved money",
        table="ledger.lots",
        unit="lots",
        violations="""
        SELECT a.path || ' (' || a.id || '): posted ' || b.posted || ', lots ' || coalesce(l.remaining, 0) ||
            ', reserved ' || b.pending_out || ', held ' || coalesce(l.held, 0)
        FROM ledger.balances b
        JOIN ledger.accounts a ON a.id = b.account_id
        LEFT JOIN (
            SELECT account_id, sum(remaining) AS remaining, sum(held) AS held FROM ledger.lots GROUP BY account_id
        ) l ON l.account_id = b.account_id
        WHERE a.lots <> b.lots OR CASE WHEN a.lots THEN (b.posted, b.pending_out) <>
            (coalesce(l.remaining, 0), coalesce(l.held, 0)) ELSE l.account_id IS NOT NULL END
        """,
    ),
    Invariant(
        name="each lot's organization and expiry rule are its account's",
        table="ledger.lots",
        unit="lots",
        violations="""
        SELECT 'lot ' || l.id || ' of account ' || l.account_id FROM ledger.lots l
        LEFT JOIN ledger.accounts a ON a.id = l.account_id
        WHERE (a.org_id = l.org_id AND a.lots_lapse = l.lapses) IS NOT TRUE
        """,
    ),
    Invariant(
        name="every lot and every use has amounts and a cost that can be",
        table="ledger.lot_uses",
        unit="uses",
        violations="""
        SELECT 'lot ' || l.id FROM ledger.lots l
        WHERE (l.amount > 0 AND l.costed >= 0 AND (l.paid = 0 OR l.paid_asset IS NOT NULL)
            AND l.is_open = (l.remaining > 0)) IS NOT TRUE
        UNION ALL
        SELECT 'use of lot ' || u.lot_id || ' by ' || u.transfer_id FROM ledger.lot_uses u
        WHERE (u.amount > 0 AND u.cost >= 0 AND u.returned BETWEEN 0 AND u.amount AND u.passed BETWEEN 0 AND u.amount
            AND u.cost_returned BETWEEN 0 AND u.cost AND u.cost_passed BETWEEN 0 AND u.cost
            AND u.outcome IN ('moved', 'used', 'commission', 'expired', 'reversed', 'paid_out')
            AND (u.outcome = 'moved') = (u.to_lot IS NOT NULL)) IS NOT TRUE
        """,
    ),
    Invariant(
        name="every hold has pinned lots of its amount, and each lot holds what pending holds have pinned",
        table="ledger.lots",
        unit="lots",
        violations="""
        SELECT 'hold ' || h.id || ': ' || h.amount || ', pinned ' || coalesce(sum(p.amount), 0)
        FROM ledger.holds h
        JOIN ledger.accounts a ON a.id = h.account_id AND a.lots
        LEFT JOIN ledger.hold_lots p ON p.hold_id = h.id
        WHERE h.status = 'pending'
        GROUP BY h.id HAVING h.amount <> coalesce(sum(p.amount), 0)
        UNION ALL
        SELECT 'lot ' || l.id || ': held ' || l.held || ', pinned ' || coalesce(n.amount, 0)
        FROM ledger.lots l
        LEFT JOIN (
            SELECT p.lot_id, sum(p.amount) AS amount FROM ledger.hold_lots p
            JOIN ledger.holds h ON h.id = p.hold_id AND h.status = 'pending' GROUP BY p.lot_id
        ) n ON n.lot_id = l.id
        WHERE l.held <> coalesce(n.amount, 0)
        """,
    ),
    Invariant(
        name="what is left of each lot, and what it cost, follow from its uses",
        table="ledger.lots",
        unit="lots",
        violations="""
        SELECT 'lot ' || l.id || ': ' || l.remaining || ' of ' || l.amount || ' left, costed ' || l.costed ||
            '; uses took ' || coalesce(o.amount, 0) || ' at ' || coalesce(o.cost, 0) || ', ' ||
            coalesce(i.amount, 0) || ' at ' || coalesce(i.cost, 0) || ' came back'
        FROM ledger.lots l
        LEFT JOIN (
            SELECT lot_id, sum(amount - returned) AS amount, sum(cost - cost_returned) AS cost
            FROM ledger.lot_uses GROUP BY lot_id
        ) o ON o.lot_id = l.id
        LEFT JOIN (
            SELECT u.to_lot, sum(u.amount) AS amount, sum(u.cost) AS cost
            FROM ledger.lot_uses u JOIN ledger.lots t ON t.id = u.to_lot
            WHERE t.parent_id IS DISTINCT FROM u.lot_id GROUP BY u.to_lot
        ) i ON i.to_lot = l.id
        WHERE l.amount - l.remaining <> coalesce(o.amount, 0) - coalesce(i.amount, 0)
           OR l.costed <> coalesce(o.cost, 0) - coalesce(i.cost, 0)
        """,
    ),
    Invariant(
        name="every lot that came from another has its credits, cost, source and payment from it",
        table="ledger.lots",
        unit="lots",
        violations="""
        SELECT 'lot ' || l.id || ' of ' || l.parent_id
        FROM ledger.lots l
        LEFT JOIN ledger.lots p ON p.id = l.parent_id
        LEFT JOIN LATERAL (
            SELECT sum(u.amount) AS amount, sum(u.cost) AS cost FROM ledger.lot_uses u
            WHERE u.transfer_id = l.transfer_id AND u.lot_id = l.parent_id AND u.to_lot = l.id
        ) u ON true
        WHERE l.parent_id IS NOT NULL AND (p.root_id = l.root_id AND p.payment_id IS NOT DISTINCT FROM l.payment_id
            AND (p.source = l.source OR l.source IN ('refund', 'earnings'))
            AND coalesce(u.amount, l.amount) = l.amount AND coalesce(u.cost, l.paid) = l.paid) IS NOT TRUE
        UNION ALL
        SELECT 'lot ' || p.id || ': passed ' || p.passed || ' at ' || p.cost || ', opened ' ||
            coalesce(c.amount, 0) || ' at ' || coalesce(c.cost, 0)
        FROM (
            SELECT lot_id AS id, sum(passed) AS passed, sum(cost_passed) AS cost FROM ledger.lot_uses
            WHERE passed > 0 GROUP BY lot_id
        ) p
        LEFT JOIN (
            SELECT l.parent_id, sum(l.amount) AS amount, sum(l.paid) AS cost FROM ledger.lots l
            WHERE l.parent_id IS NOT NULL AND NOT EXISTS (
                SELECT FROM ledger.lot_uses u
                WHERE u.transfer_id = l.transfer_id AND u.lot_id = l.parent_id AND u.to_lot = l.id
            )
            GROUP BY l.parent_id
        ) c ON c.parent_id = p.id
        WHERE (p.passed, p.cost) <> (coalesce(c.amount, 0), coalesce(c.cost, 0))
        """,
    ),
    Invariant(
        name="no lot ends later than what it came from, but by extensions that are no longer than its first term",
        table="ledger.lots",
        unit="lots",
        violations="""
        SELECT 'lot ' || l.id || ' ends ' || l.expires_at || ', extended by ' || l.extended
        FROM ledger.lots l
        LEFT JOIN ledger.lots p ON p.id = l.parent_id
        LEFT JOIN ledger.lots r ON r.id = l.root_id
        WHERE (CASE WHEN l.parent_id IS NULL THEN l.extended = '0' AND r.id = l.id
            WHEN l.expires_at IS NULL THEN l.extended = '0' AND p.expires_at IS NULL
            WHEN l.expires_at = p.expires_at THEN l.extended = p.extended
            ELSE l.expires_at > p.expires_at
                AND l.extended >= p.extended + (l.expires_at - greatest(l.opened_at, p.expires_at))
                AND l.extended <= r.expires_at - r.opened_at END) IS NOT TRUE
        """,
    ),
)
