"""Statements about recoveries from creators, after payments were reversed. Needs the platform's session."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, case, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.ids import recovery_id_of
from domain.common.money import CREDIT
from domain.payouts.recovery import PricedCredits
from ledger.invariants import Invariant
from models.billing.invoice import InvoicePayment
from models.billing.subscription import SubscriptionBill
from models.payouts.recovery import Recovery, RecoveryShare
from repositories.common.batched import Writes

#: The maximum number of lots or accounts that one share takes from, because it is one transaction.
MAX_TAKEN = 1_000
#: The price of a payment's credits, from the lots that the payment opened.
_SALE = text(
    """
    SELECT sum(paid)::bigint AS paid, sum(amount)::bigint AS sold, min(paid_asset) AS currency FROM ledger.lots
    WHERE id IN (SELECT root_id FROM ledger.lots WHERE payment_id = :payment AND parent_id IS NOT NULL)
      AND payment_id = :payment AND source = 'purchase'
    """
)
#: The credits that uses of lots took, at the price paid for them. Those of the payment itself are left out. Credits
#: that were paid in another currency, or by a payment that was charged back, count as granted.
_TAKEN = """
    SELECT u.amount, r.amount AS sold, CASE WHEN r.paid_asset = :currency AND NOT EXISTS (
        SELECT FROM payment_disputes d
        WHERE d.payment_id = l.payment_id AND d.status IN ('needs_response', 'under_review', 'lost')
    ) THEN r.paid ELSE 0 END AS paid
    FROM ledger.lot_uses u JOIN ledger.lots l ON l.id = u.lot_id JOIN ledger.lots r ON r.id = l.root_id
    WHERE l.payment_id IS DISTINCT FROM :payment
"""
_TAKEN_BY = text(f"{_TAKEN} AND u.transfer_id = :transfer AND u.outcome = :outcome")
#: The credits that have paid the payer's debts since, and whether a creator paid them, for this loss or another one of
#: the payment.
_REPAID = """
    SELECT e.transfer_id, sum(e.amount)::bigint AS amount, EXISTS (
        SELECT FROM recovery_shares s WHERE s.recovery_id = :recovery AND s.transfer_id = e.transfer_id
    ) AS by_creator, EXISTS (
        SELECT FROM recovery_shares s JOIN recoveries r ON r.id = s.recovery_id
        WHERE r.payment_id = :payment AND s.transfer_id = e.transfer_id
    ) AS by_any_creator
    FROM ledger.accounts a JOIN ledger.entries e ON e.account_id = a.id AND e.amount > 0 AND e.effective_at >= :since
    WHERE a.path = 'org/' || :payer || '/debt/' || :asset AND a.asset = :asset
    GROUP BY e.transfer_id
"""
_REPAID_BY_CREATORS = text(f"SELECT coalesce(sum(amount), 0)::bigint FROM ({_REPAID}) p WHERE by_creator")
_REPAID_BY_OTHERS = text(
    # The returned part of a use has paid nothing.
    f"{_TAKEN.replace('u.amount,', 'u.amount - u.returned - u.passed AS amount,', 1)} AND u.to_lot IS NULL "
    "AND u.outcome = 'used' AND u.amount > u.returned + u.passed "
    f"AND u.transfer_id IN (SELECT transfer_id FROM ({_REPAID}) p WHERE NOT by_any_creator)"
)
#: What can be taken from a creator, in this order: earnings from the payment, the agent's newest other earnings, those
#: of the creator's other agents, and last those at a lower price or in another currency
#: (`domain.payouts.recovery.shortfall`).
_LOTS = text(
    f"""
    SELECT l.id, g.id AS agent_id, l.remaining - l.held AS free, c.is_cheaper
    FROM agents g JOIN ledger.accounts a ON a.path = 'agent/' || g.id || '/earnings/CREDIT' AND a.asset = 'CREDIT'
    JOIN ledger.lots l ON l.account_id = a.id AND l.is_open AND l.remaining > l.held
    JOIN ledger.lots r ON r.id = l.root_id
    JOIN ledger.lots o ON o.id = CAST(:source AS uuid) JOIN ledger.lots s ON s.id = o.root_id
    CROSS JOIN LATERAL (
        SELECT s.paid > 0 AND (
            r.paid_asset IS DISTINCT FROM s.paid_asset
            OR (r.amount - div(r.paid::numeric * s.amount, s.paid)) * s.paid >= s.amount
        ) AS is_cheaper
    ) c
    WHERE g.org_id = :org_id
    ORDER BY l.id = o.id DESC, c.is_cheaper, g.id = :agent_id DESC, l.opened_at DESC, l.id DESC LIMIT {MAX_TAKEN}
    """
)
_ACCOUNTS = text(
    f"""
    SELECT g.id AS agent_id, (b.posted - b.pending_out)::bigint AS free
    FROM agents g JOIN ledger.accounts a ON a.path = 'agent/' || g.id || '/earnings/' || :asset AND a.asset = :asset
    JOIN ledger.balances b ON b.account_id = a.id AND b.posted > b.pending_out
    WHERE g.org_id = :org_id ORDER BY g.id = :agent_id DESC, 2 DESC, g.id LIMIT {MAX_TAKEN}
    """
)


async def begin(
    session: Writes,
    *,
    payment_id: str,
    cause: str,
    org_id: str,
    asset: str,
    owed_minor: int,
    short_minor: int,
    disputed_at: datetime,
    at: datetime,
) -> None:
    """Start a recovery for a lost payment, once for each cause.

    Args:
        session: of the event that loses it.
        payment_id: the payment.
        cause: see `models.payouts.recovery.Recovery`.
        org_id: the payer.
        asset: of the entitlement.
        owed_minor: the debt that it left the payer with.
        short_minor: the credits that are missing because those taken had cost less.
        disputed_at: creators are liable for earnings up to a time before this.
        at: when it was lost.
    """
    await session.execute(
        insert(Recovery)
        .values(
            id=recovery_id_of(payment_id, cause),
            payment_id=payment_id,
            cause=cause,
            org_id=org_id,
            asset=asset,
            amount_minor=owed_minor + short_minor,
            short_minor=short_minor,
            disputed_at=disputed_at,
            created_at=at,
        )
        .on_conflict_do_nothing()
    )


async def open_page(session: AsyncSession, *, after: str, limit: int) -> Sequence[str]:
    """Return the ids of recoveries that are open, after an id."""
    query = select(Recovery.id).where(Recovery.closed_at.is_(None), Recovery.id > after).order_by(Recovery.id)
    return (await session.scalars(query.limit(limit))).all()


async def find(session: AsyncSession, recovery_id: str) -> Recovery | None:
    return await session.get(Recovery, recovery_id)


async def locked(session: AsyncSession, recovery_id: str) -> Recovery | None:
    """Lock and return an open recovery; None if it is closed."""
    query = select(Recovery).where(Recovery.id == recovery_id, Recovery.closed_at.is_(None)).with_for_update()
    return (await session.scalars(query.execution_options(populate_existing=True))).one_or_none()


async def close_of(
    session: AsyncSession, payment_id: str, ref: str, *, given_since: datetime | None, at: datetime
) -> bool:
    """Close recoveries whose money came back; return whether creators have given something back for them.

    `ref` is the dispute or refund of the loss, with which their causes begin. What was returned before `given_since`
    does not count.
    """
    ids = (await session.scalars(_caused_by(payment_id, ref))).all()
    await session.execute(
        update(Recovery).where(Recovery.id.in_(ids), Recovery.closed_at.is_(None)).values(closed_at=at)
    )
    return await has_shares(session, payment_id, ref, since=given_since)


async def has_shares(session: AsyncSession, payment_id: str, ref: str, *, since: datetime | None) -> bool:
    """Tell whether creators gave something back for a dispute or a refund, after a time where one is given."""
    given = select(func.count()).where(RecoveryShare.recovery_id.in_(_caused_by(payment_id, ref)))
    if since is not None:
        given = given.where(RecoveryShare.at > since)
    return bool(await session.scalar(given))


def _caused_by(payment_id: str, ref: str) -> Select[str]:
    is_of_it = or_(Recovery.cause == ref, Recovery.cause.startswith(f"{ref}:", autoescape=True))
    # Losses of other payments of a subscription's bill are those of the one that its credits have.
    mirror = (
        select(SubscriptionBill.payment_id)
        .join(InvoicePayment, InvoicePayment.invoice_id == SubscriptionBill.invoice_id)
        .where(InvoicePayment.payment_id == payment_id)
    )
    return select(Recovery.id).where(or_(Recovery.payment_id == payment_id, Recovery.payment_id.in_(mirror)), is_of_it)


async def close_credits(session: AsyncSession, payment_id: str, *, at: datetime) -> bool:
    """Close recoveries of a payment's credits, whose bill was paid anew; return whether creators have given any."""
    of_it = Recovery.payment_id == payment_id, Recovery.asset == CREDIT
    await session.execute(update(Recovery).where(*of_it, Recovery.closed_at.is_(None)).values(closed_at=at))
    given = select(RecoveryShare.source).join(Recovery, Recovery.id == RecoveryShare.recovery_id).where(*of_it)
    return (await session.scalars(given.limit(1))).first() is not None


async def answered_credits(session: AsyncSession, payment_id: str) -> int:
    """Return the credits for which losses of a payment have creators answer: what is open, or was given back."""
    given = (
        select(func.sum(RecoveryShare.taken_minor + RecoveryShare.owed_minor))
        .where(RecoveryShare.recovery_id == Recovery.id)
        .scalar_subquery()
    )
    answered = case((Recovery.closed_at.is_(None), Recovery.amount_minor), else_=func.coalesce(given, 0))
    query = select(func.coalesce(func.sum(answered), 0)).where(
        Recovery.payment_id == payment_id, Recovery.asset == CREDIT
    )
    return int(await session.scalar(query) or 0)


async def sale(session: AsyncSession, payment_id: str) -> tuple[PricedCredits, str] | None:
    """Return the price of the credits that a payment has bought, and its currency; None if it has released none."""
    row = (await session.execute(_SALE, {"payment": payment_id})).one()
    if not row.sold or row.currency is None:
        return None
    return PricedCredits(paid_minor=row.paid, sold_minor=row.sold), row.currency


async def taken_by(
    session: AsyncSession, payment_id: str, transfer_id: UUID, currency: str, *, outcome: str
) -> list[PricedCredits]:
    values = {"payment": payment_id, "transfer": transfer_id, "currency": currency, "outcome": outcome}
    return _priced(await session.execute(_TAKEN_BY, values))


async def repaid(session: AsyncSession, case: Recovery, currency: str) -> tuple[int, list[PricedCredits]]:
    """Return what has paid the payer's debts since: by creators for this loss, and by credits of other payments."""
    values: dict[str, object] = {
        "recovery": case.id,
        "payment": case.payment_id,
        "payer": case.org_id,
        "asset": case.asset,
        "since": case.disputed_at,
    }
    by_creators = int(await session.scalar(_REPAID_BY_CREATORS, values) or 0)
    return by_creators, _priced(await session.execute(_REPAID_BY_OTHERS, {**values, "currency": currency}))


def _priced(rows: Iterable[Row[Any]]) -> list[PricedCredits]:
    return [PricedCredits(amount_minor=row.amount, paid_minor=row.paid, sold_minor=row.sold) for row in rows]


async def shares(session: AsyncSession, recovery_id: str) -> dict[str, int]:
    """Return what creators have returned or owe so far, by source."""
    row = RecoveryShare
    query = select(row.source, row.taken_minor + row.owed_minor).where(row.recovery_id == recovery_id)
    return {source: int(amount) for source, amount in await session.execute(query)}


#: The source of a share is the earned lot.
_TAKEN_OF_SALE = text(
    """
    SELECT EXISTS (
        SELECT FROM ledger.lot_uses u JOIN recovery_shares s ON s.source = u.to_lot::text
        WHERE u.transfer_id = :transfer
    )
    """
)


async def has_shares_of_sale(session: AsyncSession, transfer_id: UUID) -> bool:
    return bool(await session.scalar(_TAKEN_OF_SALE, {"transfer": transfer_id}))


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeEarnings:
    """An amount that can be taken of a creator's earnings, with its agent and lot; money has no lots.

    `is_cheaper`: it was paid at a lower price than the lost payment.
    """

    agent_id: str
    lot_id: UUID | None
    free_minor: int
    is_cheaper: bool


async def free_earnings(
    session: AsyncSession, org_id: str, agent_id: str, asset: str, source: str
) -> list[FreeEarnings]:
    """Return what can be taken of a creator's earnings for the earnings `source`, in the order of taking."""
    values = {"org_id": org_id, "agent_id": agent_id}
    if asset == CREDIT:
        return [
            FreeEarnings(agent_id=row.agent_id, lot_id=row.id, free_minor=row.free, is_cheaper=row.is_cheaper)
            for row in await session.execute(_LOTS, {**values, "source": source})
        ]
    rows = await session.execute(_ACCOUNTS, {**values, "asset": asset})
    return [FreeEarnings(agent_id=row.agent_id, lot_id=None, free_minor=row.free, is_cheaper=False) for row in rows]


#: What `verify` proves about these rows.
INVARIANTS = (
    Invariant(
        name="creators return no more for a payment than nobody has paid for",
        table="public.recovery_shares",
        unit="shares",
        violations="""
        SELECT r.id || ': lost ' || r.amount_minor || ', given back ' || sum(s.taken_minor + s.owed_minor)
        FROM public.recoveries r JOIN public.recovery_shares s ON s.recovery_id = r.id
        GROUP BY r.id HAVING sum(s.taken_minor + s.owed_minor) > r.amount_minor
        """,
    ),
)
