"""Statements about referrals. Those of the sweep need the platform's session."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.payments.payment.entitlement import not_kept_minor
from domain.payments.payment.state import Payment
from ledger.invariants import Invariant
from models.marketplace.referral import Referral
from models.payments.payment import PaymentRow
from repositories.common.listing import ListFilter, Listing, ListPage, Part, in_states
from repositories.payments.payment import state_of

#: How many of an organization's first payments are searched for one that was not refunded, lost or disputed.
MOST_PAYMENTS = 50

#: Payees whose commission does not count: the referrer, and organizations that share a trait with either side.
_NEAR = """
    near AS (
        SELECT :referrer AS org_id
        UNION
        SELECT o.org_id FROM organization_traits t JOIN organization_traits o USING (kind, digest)
        WHERE t.org_id IN (:org, :referrer) AND o.org_id <> :org AND t.ended_at IS NULL AND o.ended_at IS NULL
    )
"""
#: Payments of the referred organization that were lost or are disputed; commission from them does not count.
_LOST = """
    lost AS (
        SELECT p.id, p.escrow_id FROM payments p WHERE p.org_id = :org AND (
            EXISTS (SELECT FROM recoveries r WHERE r.payment_id = p.id) OR EXISTS (
                SELECT FROM payment_disputes d
                WHERE d.payment_id = p.id AND d.status IN ('needs_response', 'under_review', 'lost')
            )
        )
    )
"""
#: Commission in money: from the referred organization's payments and escrows, less refunds.
_EARNED_MONEY = text(
    f"""
    WITH {_NEAR}, {_LOST}, moved AS (
        SELECT DISTINCT e.transfer_id
        FROM ledger.accounts a JOIN ledger.entries e ON e.account_id = a.id
        WHERE a.org_id = :org AND a.asset = :asset
          AND (a.path LIKE 'org/' || :org || '/payments/%' OR a.path LIKE 'escrow/%')
          AND a.path NOT IN (
            SELECT 'org/' || :org || '/payments/' || id FROM lost
            UNION ALL SELECT 'escrow/' || escrow_id FROM lost WHERE escrow_id IS NOT NULL
          )
    )
    SELECT coalesce(sum(c.amount), 0)::bigint
    FROM moved m JOIN ledger.entries c ON c.transfer_id = m.transfer_id
    JOIN ledger.accounts p ON p.id = c.account_id AND p.path = 'platform/commission' AND p.asset = :asset
    WHERE (c.amount < 0 OR c.effective_at <= :until) AND NOT EXISTS (
        SELECT FROM ledger.entries n JOIN ledger.accounts o ON o.id = n.account_id
        WHERE n.transfer_id = m.transfer_id AND o.org_id IN (SELECT org_id FROM near)
    )
    """
)
#: Commission in credits that the referred organization bought, at the price paid for them.
_EARNED_CREDITS = text(
    f"""
    WITH {_NEAR}, {_LOST}
    SELECT coalesce(sum(u.cost - u.cost_returned - u.cost_passed), 0)::bigint
    FROM payments p JOIN ledger.lots l ON l.payment_id = p.id AND l.paid_asset = :asset
    JOIN ledger.lot_uses u ON u.lot_id = l.id AND u.outcome = 'commission'
    JOIN ledger.transfers t ON t.id = u.transfer_id AND t.effective_at <= :until
    WHERE p.org_id = :org AND p.id NOT IN (SELECT id FROM lost)
      AND NOT EXISTS (
        SELECT FROM ledger.entries n JOIN ledger.accounts o ON o.id = n.account_id
        WHERE n.transfer_id = t.id AND o.org_id IN (SELECT org_id FROM near)
      )
    """
)
_OWES = text(
    """
    SELECT EXISTS (
        SELECT FROM ledger.accounts a JOIN ledger.balances b ON b.account_id = a.id AND b.posted < 0
        WHERE a.org_id = :org AND a.path LIKE 'org/' || :org || '/debt/%'
    )
    """
)
_DISPUTED = text(
    """
    SELECT EXISTS (
        SELECT FROM payment_disputes WHERE org_id = :org AND status IN ('inquiry', 'needs_response', 'under_review')
    )
    """
)
_FREE = text(
    """
    SELECT l.id, least(l.remaining - l.held, :amount)::bigint AS free FROM ledger.lots l
    JOIN ledger.accounts a ON a.id = l.account_id AND a.path = 'org/' || :org || '/credits'
    WHERE l.id = :lot AND l.is_open AND l.remaining > l.held
    """
)
_PAID = text(
    """
    SELECT p.id, min(m.occurred_at) AS at FROM payments p JOIN payment_movements m ON m.payment_id = p.id
    WHERE p.org_id = :org AND p.received_minor > 0 AND m.amount_minor > 0 GROUP BY p.id ORDER BY 2, 1 LIMIT :most
    """
)


async def due(session: AsyncSession, *, now: datetime, after: str, limit: int) -> Sequence[str]:
    query = select(Referral.org_id).where(Referral.next_at <= now, Referral.org_id > after)
    return (await session.scalars(query.order_by(Referral.org_id).limit(limit))).all()


async def lock(session: AsyncSession, org_id: str) -> Referral | None:
    return await session.get(Referral, org_id, with_for_update=True, populate_existing=True)


async def recheck(session: AsyncSession, payment_id: str, at: datetime) -> None:
    """Make the referral that a payment has rewarded due, because the payment has changed."""
    row = Referral
    await session.execute(
        update(row).where(row.payment_id == payment_id, row.status == "rewarded").values(next_at=at),
        execution_options={"synchronize_session": False},
    )


async def first_final_payment(session: AsyncSession, org_id: str) -> tuple[str, datetime] | None:
    """Return an organization's first payment without refund, loss or dispute, and when it was received."""
    for row in await session.execute(_PAID, {"org": org_id, "most": MOST_PAYMENTS}):
        if not not_kept_minor(await payment_of(session, row.id)):
            return row.id, row.at
    return None


async def payment_of(session: AsyncSession, payment_id: str) -> Payment:
    return state_of((await session.scalars(select(PaymentRow).where(PaymentRow.id == payment_id))).one())


async def owes(session: AsyncSession, org_id: str) -> bool:
    return bool(await session.scalar(_OWES, {"org": org_id}))


async def is_disputed(session: AsyncSession, org_id: str) -> bool:
    """Tell whether a bank has yet to decide on a dispute of an organization's payments."""
    return bool(await session.scalar(_DISPUTED, {"org": org_id}))


async def earned_minor(session: AsyncSession, row: Referral, asset: str, *, until: datetime) -> int:
    """Return the commission from a referred organization up to a time, less later refunds.

    In minor units of `asset`. These do not count: commission in other currencies, commission on work of the referrer or
    a related organization, and commission from payments that were lost or are disputed. While the organization has a
    debt, the commission may be unpaid.
    """
    if await owes(session, row.org_id):
        return 0
    values = {"org": row.org_id, "referrer": row.referrer_org_id, "asset": asset, "until": until}
    money = await session.scalar(_EARNED_MONEY, values)
    credits = await session.scalar(_EARNED_CREDITS, values)
    return int(money or 0) + int(credits or 0)


async def free_in_lot(session: AsyncSession, org_id: str, lot: object, amount_minor: int) -> int:
    """Return the free amount of a lot in an organization's wallet; the caller has locked its balance."""
    row = (await session.execute(_FREE, {"org": org_id, "lot": lot, "amount": amount_minor})).one_or_none()
    return 0 if row is None else int(row.free)


_LIST = Listing(of=Referral, order=[Referral.org_id], prefix="org")


async def page(session: AsyncSession, wanted: ListFilter) -> ListPage[Referral]:
    """Return a page of an organization's referrals, on either side, or of all, newest referred organizations first."""
    row = Referral
    parts: list[Part] = [(row.referrer_org_id == wanted.org_id,), (row.org_id == wanted.org_id,)]
    return await _LIST.page(session, wanted, [()] if wanted.org_id is None else parts, besides=in_states(wanted))


#: What `verify` proves about referrals.
INVARIANTS = (
    Invariant(
        name="every referral that was rewarded has its grants, and one that was taken back has returned them",
        table="referrals",
        unit="referrals",
        violations="""
        SELECT 'referral ' || r.org_id || ' (' || r.status || '): granted ' || r.referrer_minor || ' and ' ||
            r.referred_minor || '; the books gave ' || b.given || ' and took ' || b.taken
        FROM referrals r CROSS JOIN LATERAL (
            SELECT coalesce((
                SELECT sum(c.amount_minor) FROM credit_lots c
                WHERE (c.id, c.org_id) IN ((r.referrer_lot, r.referrer_org_id), (r.referred_lot, r.org_id))
            ), 0) AS given, coalesce((
                SELECT sum(e.amount) FROM ledger.transfers t JOIN ledger.entries e ON e.transfer_id = t.id
                JOIN ledger.accounts a ON a.id = e.account_id AND a.path = 'platform/promotions'
                WHERE t.kind = 'referral.taken_back' AND t.reference = r.org_id
            ), 0) AS taken
        ) b
        WHERE b.given <> r.referrer_minor + r.referred_minor
            OR b.taken <> CASE r.status WHEN 'taken_back' THEN b.given ELSE 0 END
        """,
    ),
)
