"""Statements about bills of subscriptions: what was paid and granted, taken back and restored, and what is revenue."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Numeric, and_, cast, func, or_, select, text, true
from sqlalchemy.ext.asyncio import AsyncSession

from domain.billing.invoice.lines import SUBSCRIPTIONS
from domain.billing.invoice.state import InvoiceStatus
from domain.billing.subscription.refund import LostCredits, RemainingLot
from domain.billing.subscription.state import PaymentRequest, Subscription
from domain.common import accounts
from domain.common.ids import dispute_cause, subscription_return_key, uuid_of
from domain.payments.payment.snapshot import DisputeStatus
from domain.payments.payment.state import PaymentStatus
from ledger.invariants import Invariant
from models.billing.invoice import InvoicePayment, InvoiceRow
from models.billing.subscription import SubscriptionBill, SubscriptionGrant, SubscriptionRow
from models.books.ledger_lot import LedgerLot
from models.payments.chargeback import ChargebackRow
from models.payments.payment import PaymentEventRow, PaymentRow
from repositories.billing import subscription


async def bill(session: AsyncSession, provider: str, bill_ref: str) -> SubscriptionBill | None:
    """Return a bill that was paid, locked."""
    query = select(SubscriptionBill).where(SubscriptionBill.provider == provider, SubscriptionBill.bill_ref == bill_ref)
    locked = query.with_for_update().execution_options(populate_existing=True)
    return (await session.scalars(locked)).one_or_none()


async def bill_of_invoice(session: AsyncSession, invoice_id: str) -> SubscriptionBill | None:
    """Return the bill that an invoice is for, locked."""
    query = select(SubscriptionBill).where(SubscriptionBill.invoice_id == invoice_id)
    locked = query.with_for_update().execution_options(populate_existing=True)
    return (await session.scalars(locked)).one_or_none()


async def net_of(session: AsyncSession, subscription_id: str, amount_minor: int) -> int:
    """Return an amount without the tax that is in it by the newest bill; all of it before there is one."""
    row = SubscriptionBill
    share = select(func.round(amount_minor * cast(row.amount_minor, Numeric) / row.gross_minor))
    newest = share.where(row.subscription_id == subscription_id).order_by(row.period_end.desc(), row.gross_minor.desc())
    found = (await session.scalars(newest.limit(1))).one_or_none()
    return amount_minor if found is None else int(found)


async def requested(session: AsyncSession, invoice_id: str) -> tuple[str, Subscription] | None:
    query = (
        select(SubscriptionBill.bill_ref, SubscriptionRow)
        .join(SubscriptionRow, SubscriptionRow.id == SubscriptionBill.subscription_id)
        .where(SubscriptionBill.invoice_id == invoice_id, SubscriptionBill.settled_at.is_(None))
    )
    found = (await session.execute(query)).one_or_none()
    return None if found is None else (found[0], subscription.state_of(found[1]))


async def mirror_of(session: AsyncSession, invoice_id: str) -> PaymentRow | None:
    """Return the payment that mirrors the provider's payment of an invoice's bill; None before it was paid there."""
    query = select(PaymentRow).join(SubscriptionBill, SubscriptionBill.payment_id == PaymentRow.id)
    return (await session.scalars(query.where(SubscriptionBill.invoice_id == invoice_id))).one_or_none()


async def has_unpaid(session: AsyncSession, org_id: str) -> bool:
    """Return whether an organization has an unpaid or written-off invoice on net terms.

    Payments of a written-off invoice are returned, so it stays unpaid even if they settle its bill.
    """
    query = (
        select(SubscriptionBill.invoice_id)
        .join(InvoiceRow, InvoiceRow.id == SubscriptionBill.invoice_id)
        .where(
            SubscriptionBill.org_id == org_id,
            or_(
                InvoiceRow.written_off_minor > 0,
                and_(SubscriptionBill.settled_at.is_(None), InvoiceRow.status == InvoiceStatus.OPEN.value),
            ),
        )
        .limit(1)
    )
    return (await session.scalars(query)).first() is not None


async def is_owed_for(session: AsyncSession, subscription_id: str, at: datetime) -> bool:
    """Return whether the period after a time is not paid any more: its payment was refunded, lost or is disputed.

    A partial refund leaves it paid.
    """
    gone = (PaymentStatus.DISPUTED, PaymentStatus.CHARGED_BACK, PaymentStatus.REFUNDED)
    query = (
        select(SubscriptionBill.bill_ref)
        .join(InvoiceRow, InvoiceRow.id == SubscriptionBill.invoice_id)
        .join(PaymentRow, PaymentRow.id == SubscriptionBill.payment_id)
        .where(
            SubscriptionBill.subscription_id == subscription_id,
            SubscriptionBill.period_end > at,
            PaymentRow.status.in_(each.value for each in gone),
            or_(
                PaymentRow.status == PaymentStatus.DISPUTED.value, InvoiceRow.paid_minor < SubscriptionBill.gross_minor
            ),
        )
        .limit(1)
    )
    return (await session.scalars(query)).first() is not None


async def given_up(session: AsyncSession, subscription_id: str) -> list[PaymentRequest]:
    """Return the bills of a subscription whose invoices were written off, oldest first; they grant nothing any more.

    So are those of which a part was paid since.
    """
    query = (
        select(SubscriptionBill.bill_ref, InvoiceRow.due_at)
        .join(InvoiceRow, InvoiceRow.id == SubscriptionBill.invoice_id)
        .where(SubscriptionBill.subscription_id == subscription_id, InvoiceRow.written_off_minor > 0)
        .order_by(InvoiceRow.due_at, SubscriptionBill.bill_ref)
    )
    found = await session.execute(query)
    return [PaymentRequest(bill_ref=bill_ref, credits_minor=0, due_at=due_at) for bill_ref, due_at in found]


async def used_credits(session: AsyncSession, bill: SubscriptionBill) -> int:
    """Return the credits of a bill that were used; all others were taken back before."""
    lots = await _lots(session, bill)
    granted = await session.scalar(select(func.coalesce(func.sum(LedgerLot.amount), 0)).where(LedgerLot.id.in_(lots)))
    returned = await session.scalar(
        text(
            """
            SELECT coalesce(sum(u.amount - u.returned), 0)::bigint FROM ledger.transfers t
            JOIN ledger.lot_uses u ON u.transfer_id = t.id
            WHERE t.reference = :subscription AND t.kind = 'subscription.returned' AND u.lot_id = ANY (:lots)
            """
        ),
        {"subscription": bill.subscription_id, "lots": lots},
    )
    return int(granted or 0) - int(returned or 0)


async def lost_bill(session: AsyncSession, payment_id: str) -> SubscriptionBill | None:
    """Lock the bill that a payment mirrors, after its invoice; None if there is none, or all of it is paid."""
    named = select(SubscriptionBill.invoice_id).where(SubscriptionBill.payment_id == payment_id)
    invoice_id = (await session.scalars(named)).one_or_none()
    if invoice_id is None:
        return None
    query = select(InvoiceRow).where(InvoiceRow.id == invoice_id).with_for_update()
    row = (await session.scalars(query.execution_options(populate_existing=True))).one()
    is_paid = row.status == InvoiceStatus.PAID.value and not row.written_off_minor
    return None if is_paid else await bill_of_invoice(session, invoice_id)


async def later_returns(session: AsyncSession, payment_id: str) -> list[tuple[str, int]]:
    """Return the keys by which credits of a lost bill were taken that came back later, and the credits not restored.

    `payment_id` is the payment that mirrors the bill.
    """
    found = await session.execute(
        text(
            """
            SELECT t.idempotency_key, sum(u.amount - u.returned)::bigint
            FROM public.subscription_bills b
            JOIN public.recoveries r ON r.payment_id = b.payment_id AND r.asset = 'CREDIT'
            JOIN ledger.transfers t ON t.reference = b.subscription_id AND t.kind = 'subscription.returned'
                AND t.idempotency_key LIKE 'subscription:' || b.subscription_id || ':return:recovery:' || r.id || ':%'
            JOIN ledger.lot_uses u ON u.transfer_id = t.id
            WHERE b.payment_id = :payment GROUP BY t.idempotency_key
            """
        ),
        {"payment": payment_id},
    )
    return [(key, credits) for key, credits in found]


async def disputed_minor(session: AsyncSession, bill: SubscriptionBill) -> int:
    """Return the money that open disputes hold of the payments that have paid a bill."""
    undecided = (DisputeStatus.NEEDS_RESPONSE.value, DisputeStatus.UNDER_REVIEW.value)
    paid = select(InvoicePayment.payment_id).where(InvoicePayment.invoice_id == bill.invoice_id)
    query = select(func.coalesce(func.sum(ChargebackRow.amount_minor), 0)).where(
        # The one that mirrors the bill may be disputed before it has paid.
        or_(ChargebackRow.payment_id.in_(paid), ChargebackRow.payment_id == bill.payment_id),
        ChargebackRow.status.in_(undecided),
    )
    return int(await session.scalar(query) or 0)


async def _lots(session: AsyncSession, bill: SubscriptionBill) -> list[UUID]:
    granted = select(SubscriptionGrant.lot_id).where(
        SubscriptionGrant.subscription_id == bill.subscription_id, SubscriptionGrant.bill_ref == bill.bill_ref
    )
    return [uuid_of(lot_id) for lot_id in await session.scalars(granted)]


async def remaining_lots(
    session: AsyncSession, bill: SubscriptionBill, until: datetime | None = None
) -> list[RemainingLot]:
    """Return the remaining lots of the credits that a bill granted, up to a time if given.

    The caller has locked the balance.
    """
    granted = LedgerLot.opened_at <= until if until is not None else true()
    found = await session.execute(
        select(LedgerLot.id, LedgerLot.remaining - LedgerLot.held, LedgerLot.amount, LedgerLot.paid)
        .where(LedgerLot.id.in_(await _lots(session, bill)), LedgerLot.remaining > LedgerLot.held, granted)
        .order_by(LedgerLot.id)
    )
    return [
        RemainingLot(lot_id=id, free_minor=free, amount_minor=amount, paid_minor=paid)
        for id, free, amount, paid in found
    ]


#: Events by which money of a payment is lost for good without a decision here.
LOSSES = frozenset({"dispute_lost", "refund_taken_over", "reversed"})
#: How a payment stands of which money is gone; one whose chargeback was won after it was lost stands otherwise.
_GONE = (PaymentStatus.REFUNDED, PaymentStatus.PARTIALLY_REFUNDED, PaymentStatus.DISPUTED, PaymentStatus.CHARGED_BACK)


async def lost_credits(session: AsyncSession, bill: SubscriptionBill) -> list[LostCredits]:
    """Return the credits of a bill that losses of its payments have clawed back and that were not restored since.

    Other payments than the one that mirrors the invoice may have paid it. The caller has locked the balance that the
    credits were on.
    """
    row, paid = PaymentEventRow, PaymentRow
    losses = (
        select(row.kind, row.payment_id, row.number)
        .join(paid, paid.id == row.payment_id)
        .where(
            paid.org_id == bill.org_id,
            or_(
                paid.status.in_([status.value for status in _GONE]),
                paid.id.in_(select(ChargebackRow.payment_id).where(ChargebackRow.org_id == bill.org_id)),
                paid.id == bill.payment_id,
            ),
            paid.state["terms"]["purpose"]["invoice_id"].astext == bill.invoice_id,
            row.kind.in_(LOSSES),
        )
    )
    causes = [dispute_cause(*each) for each in await session.execute(losses)]
    later = [] if bill.payment_id is None else await later_returns(session, bill.payment_id)
    found = await session.execute(
        text(
            """
            SELECT t.id, (SELECT sum(u.amount - u.returned)::bigint FROM ledger.lot_uses u WHERE u.transfer_id = t.id),
                (SELECT coalesce(sum(abs(e.amount)), 0)::bigint FROM ledger.entries e
                 JOIN ledger.accounts a ON a.id = e.account_id
                 WHERE e.transfer_id = t.id AND a.path = :deferred)
            FROM ledger.transfers t WHERE t.idempotency_key = ANY (:keys) ORDER BY t.id
            """
        ),
        {
            "keys": [
                *(subscription_return_key(bill.subscription_id, cause) for cause in causes),
                *(key for key, _ in later),
            ],
            "deferred": accounts.platform(SUBSCRIPTIONS, bill.currency).path,
        },
    )
    return [
        LostCredits(transfer_id=id, credits_minor=credits, cost_minor=cost) for id, credits, cost in found if credits
    ]


async def mirrored(session: AsyncSession, provider: str, bill_refs: Sequence[str]) -> Sequence[PaymentRow]:
    query = select(PaymentRow).join(SubscriptionBill, SubscriptionBill.payment_id == PaymentRow.id)
    of_bills = SubscriptionBill.provider == provider, SubscriptionBill.bill_ref.in_(bill_refs)
    return (await session.scalars(query.where(*of_bills))).all()


async def add(session: AsyncSession, row: SubscriptionBill | SubscriptionGrant) -> None:
    session.add(row)
    await session.flush()


async def grant(session: AsyncSession, subscription_id: str, key: str) -> SubscriptionGrant | None:
    return await session.get(SubscriptionGrant, (subscription_id, key))


async def accruing(session: AsyncSession, through: date, limit: int) -> Sequence[tuple[SubscriptionBill, bool]]:
    """Lock bills that have revenue to book for the oldest unbooked day, if that day is not after `through`.

    With each is whether it still awaits the money that brings its credits.
    """
    gone = SubscriptionBill.granted_minor + SubscriptionBill.accrued_minor + SubscriptionBill.credited_minor
    # Credits are granted when the money arrives, and their price is booked then, however late that is.
    is_open = select(InvoiceRow.id).where(
        InvoiceRow.id == SubscriptionBill.invoice_id, InvoiceRow.status == InvoiceStatus.OPEN.value
    )
    awaits = and_(SubscriptionBill.settled_at.is_(None), is_open.exists())
    of_plan = SubscriptionBill.amount_minor - SubscriptionBill.for_credits_minor - SubscriptionBill.credited_minor
    is_deferred = and_(gone < SubscriptionBill.amount_minor, or_(SubscriptionBill.accrued_minor < of_plan, ~awaits))
    oldest = select(func.min(SubscriptionBill.accrued_on)).where(is_deferred, SubscriptionBill.accrued_on < through)
    query = (
        select(SubscriptionBill, awaits.label("awaits"))
        .where(is_deferred, SubscriptionBill.accrued_on == oldest.scalar_subquery())
        .order_by(SubscriptionBill.provider, SubscriptionBill.bill_ref)
        .limit(limit)
        .with_for_update(skip_locked=True, of=SubscriptionBill)
    )
    return [(row, awaits) for row, awaits in await session.execute(query)]


#: What `verify` proves about these rows and the books.
INVARIANTS = (
    Invariant(
        name="deferred subscriptions are what was paid for them, less what was granted, credited and is revenue",
        table="public.subscription_bills",
        unit="bills",
        violations="""
        SELECT coalesce(b.asset, s.asset) || ': booked ' || coalesce(b.posted, 0) || ', deferred ' ||
            coalesce(s.deferred, 0)
        FROM (
            SELECT a.asset, sum(x.posted) AS posted FROM ledger.accounts a
            JOIN ledger.balances x ON x.account_id = a.id
            WHERE a.path = 'platform/deferred_subscriptions' GROUP BY a.asset
        ) b
        FULL JOIN (
            SELECT currency AS asset,
                sum(amount_minor - granted_minor - accrued_minor - credited_minor) AS deferred
            FROM public.subscription_bills GROUP BY currency
        ) s USING (asset)
        WHERE coalesce(b.posted, 0) <> coalesce(s.deferred, 0)
        """,
    ),
    Invariant(
        name="each subscription bill has granted what its grants cost, and each grant its lot",
        table="public.subscription_bills",
        unit="bills",
        violations="""
        SELECT coalesce(b.bill_ref, g.bill_ref) || ': granted ' || coalesce(b.granted_minor + b.returned_minor, 0) ||
            ', its grants cost ' || coalesce(g.paid, 0) || ', of other lots ' || coalesce(g.other, 0)
        FROM public.subscription_bills b
        FULL JOIN (
            SELECT g.subscription_id, g.bill_ref, sum(g.paid_minor) AS paid,
                count(*) FILTER (WHERE l.transfer_id <> g.transfer_id OR l.amount_minor <> g.credits_minor) AS other
            FROM public.subscription_grants g JOIN public.credit_lots l ON l.id = g.lot_id
            GROUP BY g.subscription_id, g.bill_ref
        ) g USING (subscription_id, bill_ref)
        WHERE coalesce(b.granted_minor + b.returned_minor, 0) <> coalesce(g.paid, 0) OR coalesce(g.other, 0) > 0
        """,
    ),
    Invariant(
        name="credits of a subscription bill are held while its payment is disputed, and not after that",
        table="public.subscription_bills",
        unit="bills",
        violations="""
        SELECT b.bill_ref || ': its payment is ' || p.status || ', its hold ' || coalesce(h.status, 'unknown')
        FROM public.subscription_bills b JOIN public.payments p ON p.id = b.payment_id
        LEFT JOIN ledger.holds h ON h.id = b.hold_id
        WHERE b.hold_id IS NOT NULL
            AND (h.status IS DISTINCT FROM 'pending' OR p.status NOT IN ('disputed', 'charged_back'))
        """,
    ),
)
