"""Refunds subscriptions: the credits of the bill are clawed back first, and used ones reduce the refund.

While the payment of a bill is disputed, its remaining credits are held, so that a payer who wins cannot spend them.

Credits that are clawed back leave their lot, so revenue recognition will book their price as revenue. To cancel that,
their price is moved from revenue to deferred revenue here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from domain.billing.invoice.booking import InvoicePosting
from domain.billing.invoice.lines import SUBSCRIPTIONS
from domain.billing.subscription import refund
from domain.billing.subscription.accrual import DeferredRevenue
from domain.billing.subscription.refund import RemainingLot
from domain.common import accounts
from domain.common.accounts import Account
from domain.common.ids import (
    subscription_debt_key,
    subscription_hold_key,
    subscription_restore_key,
    subscription_return_key,
)
from domain.common.money import CREDIT
from domain.common.period import Period
from domain.credits.lots import LotTerms, take_lots
from ledger.gateway import Ledger, Posting
from models.billing.subscription import SubscriptionBill
from repositories.billing import subscription_bill
from runtime.database import driver_connection
from services.books.debt import close_paid_debts, owed_minor

REVENUE = "revenue/subscriptions"
#: Every hold needs an expiry; the provider decides a dispute long before this one.
HELD_FOR = timedelta(days=3_650)


def touched_accounts(bill: SubscriptionBill) -> list[Account]:
    """Return the accounts that a refund of the bill can touch, in addition to those of its invoice."""
    money = (SUBSCRIPTIONS, REVENUE, "revenue/credits")
    return [
        accounts.org_credits(bill.org_id),
        accounts.platform("credit_issuance", CREDIT),
        *(accounts.platform(name, bill.currency) for name in money),
    ]


async def follow_dispute(
    session: AsyncSession, bill: SubscriptionBill, *, is_disputed: bool, cause: str, now: datetime
) -> None:
    """Hold a bill's remaining credits while its payment is disputed, and release them afterwards.

    It holds all credits that `claw_back` would take, even if only a part of the payment is disputed. Credits reserved
    by other holds are left to them. The caller holds the locks of the bill and of the balance. `cause` makes it
    idempotent.
    """
    ledger = Ledger(await driver_connection(session))
    await _end_hold(session, ledger, bill, cause=cause, now=now)
    rest = await subscription_bill.remaining_lots(session, bill) if is_disputed else []
    if not rest:
        return
    held = await ledger.hold(
        key=subscription_hold_key(bill.subscription_id, cause, "begin"),
        account=accounts.org_credits(bill.org_id),
        amount_minor=sum(lot.free_minor for lot in rest),
        expires_at=now + HELD_FOR,
        held_at=now,
        reference=bill.subscription_id,
        lots=_named(rest),
    )
    bill.hold_id = held.hold_id
    await session.flush()


async def claw_back(
    session: AsyncSession,
    bill: SubscriptionBill,
    *,
    cause: str,
    now: datetime,
    also: Iterable[Account] = (),
    until: datetime | None = None,
) -> int:
    """Claw back a bill's remaining credits, including those held for its dispute, and defer their price again.

    Credits reserved by other holds stay. The caller holds the lock of the bill. `cause` makes it idempotent. `also` are
    accounts that the caller posts to afterwards, so that all are locked at once. With `until` only credits granted up
    to then are taken.

    Returns:
        The credits clawed back, in minor units.
    """
    ledger = Ledger(await driver_connection(session))
    await ledger.lock_balances([*touched_accounts(bill), *also])
    await _end_hold(session, ledger, bill, cause=cause, now=now)
    rest = await subscription_bill.remaining_lots(session, bill, until)
    if not rest:
        return 0
    before, after = deferred_of(bill), refund.after_clawback(deferred_of(bill), rest)
    cost = before.granted_minor - after.granted_minor
    wallet, issuance = accounts.org_credits(bill.org_id), accounts.platform("credit_issuance", CREDIT)
    credits = sum(lot.free_minor for lot in rest)
    postings = [Posting(wallet, issuance, credits, lots=replace(_named(rest), is_reversal=True))]
    if cost:
        earned, deferred = (accounts.platform(name, bill.currency) for name in ("revenue/credits", SUBSCRIPTIONS))
        postings.append(Posting(earned, deferred, cost))
    await ledger.post_compound(
        key=subscription_return_key(bill.subscription_id, cause),
        kind="subscription.returned",
        postings=postings,
        reference=bill.subscription_id,
        org_id=bill.org_id,
        effective_at=now,
    )
    if not before.left_minor:
        # Past days are closed, so revenue that is deferred again must not accrue on one of them.
        bill.accrued_on = max(bill.accrued_on, now.date() - timedelta(days=1))
    bill.granted_minor -= cost
    bill.returned_minor += cost
    await session.flush()
    return credits


async def restore(session: AsyncSession, bill: SubscriptionBill, *, cause: str, now: datetime) -> None:
    """Restore credits that a bill's lost disputes had clawed back, into their lots, when its invoice is paid again.

    They first pay the organization's debt. The caller holds the locks of its debts, of the bill and of
    `touched_accounts`. `cause` makes it idempotent.
    """
    restored = 0
    ledger = Ledger(await driver_connection(session))
    for number, lost in enumerate(await subscription_bill.lost_credits(session, bill)):
        back = refund.to_restore(lost, deferred_of(bill))
        if not back.credits_minor:
            continue
        wallet, issuance = accounts.org_credits(bill.org_id), accounts.platform("credit_issuance", CREDIT)
        names = (SUBSCRIPTIONS, REVENUE, "revenue/credits")
        deferred, accrued, earned = (accounts.platform(name, bill.currency) for name in names)
        postings = [
            Posting(issuance, wallet, back.credits_minor, lots=LotTerms(returns=lost.transfer_id)),
            Posting(deferred, earned, back.unearned_minor),
            Posting(accrued, earned, back.earned_minor),
        ]
        await ledger.post_compound(
            key=subscription_restore_key(bill.subscription_id, cause, number),
            kind="subscription.restored",
            postings=[posting for posting in postings if posting.amount_minor],
            reference=bill.subscription_id,
            org_id=bill.org_id,
            effective_at=now,
        )
        bill.granted_minor += back.cost_minor
        bill.returned_minor -= back.cost_minor
        bill.accrued_minor -= back.earned_minor
        await session.flush()
        restored += back.credits_minor
    if not restored:
        return
    rest = [(lot.lot_id, lot.free_minor) for lot in await subscription_bill.remaining_lots(session, bill)]
    slices = take_lots(rest, min(restored, await owed_minor(ledger, bill.org_id, CREDIT)))
    key = subscription_debt_key(bill.subscription_id, f"restored:{cause}")
    await pay_debt(session, bill.subscription_id, bill.org_id, slices, key=key, at=now)


async def pay_debt(
    session: AsyncSession,
    subscription_id: str,
    org_id: str,
    slices: Sequence[tuple[UUID, int]],
    *,
    key: str,
    at: datetime,
) -> None:
    """Pay an organization's debt from slices of its subscription's lots, never from promotional credits."""
    if not slices:
        return
    ledger = Ledger(await driver_connection(session))
    await ledger.post(
        key=key,
        kind="debt.paid",
        source=accounts.org_credits(org_id),
        destination=accounts.org_debt(org_id, CREDIT),
        amount_minor=sum(part for _, part in slices),
        reference=subscription_id,
        org_id=org_id,
        effective_at=at,
        lots=LotTerms(slices=tuple(slices)),
    )
    await close_paid_debts(session, ledger, org_id, CREDIT)


async def _end_hold(
    session: AsyncSession, ledger: Ledger, bill: SubscriptionBill, *, cause: str, now: datetime
) -> None:
    if bill.hold_id is None:
        return
    key = subscription_hold_key(bill.subscription_id, cause, "end")
    await ledger.void(key=key, hold_id=bill.hold_id, effective_at=now)
    bill.hold_id = None
    await session.flush()


def _named(rest: Iterable[RemainingLot]) -> LotTerms:
    return LotTerms(slices=tuple((lot.lot_id, lot.free_minor) for lot in rest))


def creditable_minor(bill: SubscriptionBill, *, credited_gross_minor: int) -> int:
    """Return the creditable amount of a bill whose credits were clawed back, including tax.

    The written-off part is already a loss of the platform, so it counts as credited.
    """
    return refund.creditable_minor(bill.gross_minor, deferred_of(bill), credited_gross_minor=credited_gross_minor)


def used_minor(bill: SubscriptionBill) -> int:
    """Return the price of a bill's used credits, with tax; all others were clawed back before."""
    return refund.used_minor(bill.gross_minor, deferred_of(bill))


async def credit(session: AsyncSession, bill: SubscriptionBill, net_minor: int) -> list[InvoicePosting]:
    """Record a credit note's net amount on the bill, and return its postings: from deferred revenue first."""
    parts = refund.split_credit_note(deferred_of(bill), net_minor)
    receivable = accounts.org_receivable(bill.org_id, bill.currency)
    bill.accrued_minor -= parts.earned_minor
    bill.credited_minor += parts.unearned_minor + parts.earned_minor
    await session.flush()
    postings = [
        InvoicePosting(accounts.platform(SUBSCRIPTIONS, bill.currency), receivable, parts.unearned_minor),
        InvoicePosting(
            accounts.platform(REVENUE, bill.currency), receivable, parts.earned_minor + parts.rounding_minor
        ),
    ]
    return [posting for posting in postings if posting.amount_minor]


def deferred_of(row: SubscriptionBill) -> DeferredRevenue:
    """Return the deferred revenue of a bill."""
    return DeferredRevenue(
        amount_minor=row.amount_minor,
        period=Period(start=row.period_start, end=row.period_end),
        for_credits_minor=row.for_credits_minor,
        granted_minor=row.granted_minor,
        accrued_minor=row.accrued_minor,
        credited_minor=row.credited_minor,
    )
