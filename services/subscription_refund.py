"""Gives back what was paid for a subscription: the credits of its bill come back first, and used ones reduce it.

The batch of revenue makes revenue of the price of credits that were taken back, as of any that leave. So their price
goes from revenue to what is deferred here at once, and both together change nothing.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from domain import accounts
from domain.accounts import Account
from domain.ids import subscription_return_key
from domain.invoice.booking import Leg
from domain.invoice.lines import SUBSCRIPTIONS
from domain.lots import LotTerms
from domain.money import CREDIT
from domain.subscription import refund
from domain.subscription.accrual import Deferred
from domain.subscription.period import Period
from ledger.gateway import Ledger, Posting
from models.subscription import SubscriptionBill
from repositories import subscription as subscriptions
from runtime.database import driver_connection

REVENUE = "revenue/subscriptions"


def touched(bill: SubscriptionBill) -> list[Account]:
    """Return the accounts that a refund of the bill can touch, besides those of its invoice."""
    money = (SUBSCRIPTIONS, REVENUE, "revenue/credits")
    return [
        accounts.org_credits(bill.org_id),
        accounts.platform("credit_issuance", CREDIT),
        *(accounts.platform(name, bill.currency) for name in money),
    ]


async def take_back(
    session: AsyncSession, bill: SubscriptionBill, *, cause: str, now: datetime, also: Iterable[Account] = ()
) -> None:
    """Take back what is left of the credits that a bill granted, and defer their price again.

    The caller holds the bill's lock. What a hold has pinned stays. `cause` makes it one. `also` are accounts that the
    caller posts to afterwards, so that all are locked at once.
    """
    ledger = Ledger(await driver_connection(session))
    await ledger.lock_balances([*touched(bill), *also])
    rest = await subscriptions.rest_of_lots(session, bill)
    if not rest:
        return
    before, after = deferred_of(bill), refund.returned(deferred_of(bill), rest)
    cost = before.granted_minor - after.granted_minor
    wallet, issuance = accounts.org_credits(bill.org_id), accounts.platform("credit_issuance", CREDIT)
    slices = tuple((lot.lot_id, lot.free_minor) for lot in rest)
    credits = sum(free for _, free in slices)
    postings = [Posting(wallet, issuance, credits, lots=LotTerms(slices=slices, is_reversal=True))]
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
        # Days that are over are closed: what is deferred again is not earned on one of them.
        bill.accrued_on = max(bill.accrued_on, now.date() - timedelta(days=1))
    bill.granted_minor -= cost
    bill.returned_minor += cost
    await session.flush()


def creditable_minor(bill: SubscriptionBill, *, credited_gross_minor: int) -> int:
    """Return what a credit note can take back of a bill whose credits were taken back, with its tax."""
    return refund.creditable_minor(bill.gross_minor, deferred_of(bill), credited_gross_minor=credited_gross_minor)


async def credit(session: AsyncSession, bill: SubscriptionBill, net_minor: int) -> list[Leg]:
    """Take a credit note's net amount from what is not earned yet, and only then from revenue."""
    parts = refund.split(deferred_of(bill), net_minor)
    receivable = accounts.org_receivable(bill.org_id, bill.currency)
    bill.accrued_minor -= parts.earned_minor
    bill.credited_minor += parts.unearned_minor + parts.earned_minor
    await session.flush()
    legs = [
        Leg(accounts.platform(SUBSCRIPTIONS, bill.currency), receivable, parts.unearned_minor),
        Leg(accounts.platform(REVENUE, bill.currency), receivable, parts.earned_minor + parts.rounding_minor),
    ]
    return [leg for leg in legs if leg.amount_minor]


def deferred_of(row: SubscriptionBill) -> Deferred:
    """Return what was paid by a bill, and what has become of it."""
    return Deferred(
        amount_minor=row.amount_minor,
        period=Period(start=row.period_start, end=row.period_end),
        for_credits=row.for_credits,
        granted_minor=row.granted_minor,
        accrued_minor=row.accrued_minor,
        credited_minor=row.credited_minor,
    )
