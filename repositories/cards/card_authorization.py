"""Statements about authorizations of cards and the spends that pay for them. Writing needs the platform's role."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.cards.card_authorization import PayingSpend
from ledger.invariants import Invariant
from ledger.spends import MoneyCost
from models.cards.card_authorization import CardAuthorization, CardSpend
from models.credits.spend import Spend
from repositories.common.listing import ListFilter, Listing, ListPage

PREFIX = "cau"

_LIST = Listing(of=CardAuthorization, order=[CardAuthorization.id], prefix=PREFIX)
_SHORT = text("""
SELECT floor(l.missing)::bigint FROM ledger.spends s,
    ledger.lots_for(NULL, CAST(:minor AS numeric), :asset, 0, :at, true, 0, s.hold_id) l
WHERE s.org_id = :org_id AND s.id = :spend_id
""")


async def find(session: AsyncSession, ref: str) -> CardAuthorization | None:
    """Return the authorization with an issuer's id; the caller holds the lock of its card."""
    query = select(CardAuthorization).where(CardAuthorization.ref == ref)
    return (await session.scalars(query.execution_options(populate_existing=True))).one_or_none()


async def page(session: AsyncSession, wanted: ListFilter, *, card_id: str) -> ListPage[CardAuthorization]:
    """Return a page of a card's authorizations, newest first."""
    part = (CardAuthorization.card_id == card_id,)
    return await _LIST.page(session, wanted, [part])


async def shortfall_minor(session: AsyncSession, row: CardSpend, cost: MoneyCost, *, at: datetime) -> int:
    """Return the part of a cost that a spend's held credits do not pay, in minor units; its hold is locked."""
    values = {"org_id": row.org_id, "spend_id": row.spend_id, "minor": cost.minor, "asset": cost.asset, "at": at}
    found: int = (await session.execute(_SHORT, values)).scalar_one()
    return found


async def spends(session: AsyncSession, authorization_ids: Sequence[str]) -> Sequence[CardSpend]:
    """Return the spends of authorizations in the order of creation."""
    query = select(CardSpend).where(CardSpend.authorization_id.in_(authorization_ids)).order_by(CardSpend.spend_id)
    return (await session.scalars(query.execution_options(populate_existing=True))).all()


async def has_paid(session: AsyncSession, card_id: str) -> bool:
    """Return whether any spend of a card is held or was captured, even if refunded since."""
    query = (
        select(CardSpend.spend_id)
        .join(CardAuthorization, CardAuthorization.id == CardSpend.authorization_id)
        .join(Spend, and_(Spend.org_id == CardSpend.org_id, Spend.id == CardSpend.spend_id))
        .where(CardAuthorization.card_id == card_id, or_(CardSpend.captured_minor > 0, Spend.status == "reserved"))
    )
    return await session.scalar(query.limit(1)) is not None


async def refundable(session: AsyncSession, card_id: str, *, limit: int) -> Sequence[CardSpend]:
    """Return the latest spends of a card with a refundable amount, latest first."""
    query = select(CardSpend).where(CardSpend.card_id == card_id, CardSpend.refunded_minor < CardSpend.captured_minor)
    return (await session.scalars(query.order_by(CardSpend.spend_id.desc()).limit(limit))).all()


async def in_ledger(session: AsyncSession, org_id: str, spend_ids: Sequence[UUID]) -> dict[UUID, Spend]:
    """Return spends from the ledger; the caller has locked their holds."""
    query = select(Spend).where(Spend.org_id == org_id, Spend.id.in_(spend_ids))
    return {row.id: row for row in await session.scalars(query.execution_options(populate_existing=True))}


def paying_spend(row: CardSpend) -> PayingSpend:
    return PayingSpend(
        spend_id=row.spend_id,
        amount_minor=row.amount_minor,
        captured_minor=row.captured_minor,
        refunded_minor=row.refunded_minor,
    )


#: Invariants of these rows, checked by `verify`.
INVARIANTS = (
    Invariant(
        name="each spend for a card has taken what was captured for it, and holds nothing once all is",
        table="public.card_spends",
        unit="spends",
        violations="""
        SELECT c.spend_id || ': credits ' || c.credits || ', captured ' || c.captured_credits || ' for '
            || c.captured_minor || ' of ' || c.amount_minor || '; the spend has ' || coalesce(s.amount, 0)
            || ', captured ' || coalesce(s.captured, 0)
        FROM public.card_spends c LEFT JOIN ledger.spends s ON s.org_id = c.org_id AND s.id = c.spend_id
        WHERE (s.amount, s.captured) IS DISTINCT FROM (c.credits, c.captured_credits)
           OR s.status = 'reserved' AND c.captured_minor = c.amount_minor
           OR s.refunded > 0 AND c.refunded_minor = 0 OR s.refunded < s.captured AND c.refunded_minor = c.captured_minor
        """,
    ),
    Invariant(
        # Debts were no lots, and lots of other currencies had a rate that is not stored with them.
        name="the credits captured for a card were worth what merchants took",
        table="public.card_spends",
        unit="spends",
        violations="""
        SELECT c.spend_id || ': captured ' || c.captured_minor || ' by lots of ' || used.paid
        FROM public.card_spends c JOIN public.card_authorizations a ON a.id = c.authorization_id
        JOIN ledger.spends s ON s.org_id = c.org_id AND s.id = c.spend_id
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(u.amount), 0) AS amount, coalesce(sum(u.cost), 0) AS paid, count(*) AS lots,
                coalesce(bool_and(l.paid_asset = a.currency), true) AS is_plain
            FROM ledger.lot_uses u JOIN ledger.lots l ON l.id = u.lot_id
            WHERE u.to_lot IS NULL AND (u.transfer_id = s.transfer_id OR u.transfer_id IN (
                SELECT g.transfer_id FROM ledger.spend_changes g WHERE g.spend_id = s.id AND g.kind = 'capture'))
        ) used
        WHERE used.amount = s.captured AND used.is_plain AND used.paid + used.lots < c.captured_minor
        """,
    ),
    Invariant(
        name="what was captured and refunded of each card's spends is what its merchants took and gave back",
        table="public.card_transactions",
        unit="transactions",
        violations="""
        SELECT card_id || ': captured ' || coalesce(s.captured, 0) || ', refunded ' || coalesce(s.refunded, 0) ||
            '; merchants took ' || coalesce(t.taken, 0) || ', gave back ' || coalesce(t.returned, 0)
        FROM (
            SELECT card_id, sum(captured_minor) AS captured, sum(refunded_minor) AS refunded
            FROM public.card_spends GROUP BY card_id
        ) s
        FULL JOIN (
            SELECT card_id, sum(amount_minor) FILTER (WHERE kind = 'capture') AS taken,
                coalesce(sum(amount_minor - beyond_minor) FILTER (WHERE kind = 'refund'), 0) + sum(returned_minor)
                AS returned
            FROM public.card_transactions GROUP BY card_id
        ) t USING (card_id)
        WHERE coalesce(s.captured, 0) <> coalesce(t.taken, 0) OR coalesce(s.refunded, 0) <> coalesce(t.returned, 0)
        """,
    ),
    Invariant(
        name="no authorization that is over holds credits",
        table="public.card_authorizations",
        unit="authorizations",
        violations="""
        SELECT a.id || ' is ' || a.status || ', and its spend ' || s.id || ' holds credits'
        FROM public.card_authorizations a JOIN public.card_spends c ON c.authorization_id = a.id
        JOIN ledger.spends s ON s.org_id = c.org_id AND s.id = c.spend_id
        WHERE a.status <> 'pending' AND s.status = 'reserved'
        """,
    ),
)
