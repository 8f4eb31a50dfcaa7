"""Grants the credits of a subscription once for each bill and month; omitted ones after a dispute."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from domain.billing.invoice.lines import SUBSCRIPTIONS
from domain.billing.subscription.refund import credits_left, net_cost
from domain.billing.subscription.state import CreditGrant, Subscription
from domain.common import accounts
from domain.common.access import Actor
from domain.common.ids import subscription_debt_key, subscription_grant_key, uuid_of
from domain.common.money import CREDIT
from domain.common.period import Period
from domain.credits.lots import LotSource, LotTerms, take_lots
from domain.payments.payment.entitlement import not_kept_minor
from domain.payments.payment.state import Payment
from ledger.gateway import Ledger, Posting
from models.billing.subscription import SubscriptionBill, SubscriptionGrant
from models.credits.credit_lot import CreditLot
from repositories.billing import invoice, subscription_bill
from repositories.credits import credit_lot
from repositories.payments import payment
from runtime.database import driver_connection
from runtime.identity import new_id
from services.billing.subscription_refund import deferred_of, pay_debt
from services.books.debt import owed_minor


async def grant(session: AsyncSession, actor: Actor, after: Subscription, wanted: CreditGrant, at: datetime) -> None:
    """Grant the credits of a paid bill, once for each key.

    If a part of the bill is refunded or disputed, its credits are omitted, and recorded on the bill. The credits first
    pay the organization's debt. The caller holds the lock of its debts.
    """
    if not wanted.credits_minor:
        return
    if await subscription_bill.grant(session, after.subscription_id, wanted.key) is not None:
        return
    bill = await subscription_bill.bill(session, after.provider, wanted.bill_ref)
    assert bill is not None, "credits are granted for paid bills only"
    if any(each["key"] == wanted.key for each in bill.left_out):
        return
    # Their cost is at most what is left of the money received for them, without tax.
    cost = net_cost(wanted, net_minor=bill.for_credits_minor, gross_minor=bill.gross_minor)
    net = replace(wanted, paid_minor=cost, paid_before_minor=0)
    row = None if bill.payment_id is None else await payment.get(session, bill.payment_id)
    left = await _grant(session, actor.qualified(), bill, net, None if row is None else payment.state_of(row), at)
    if left is not None:
        bill.left_out = [*bill.left_out, _stored(left)]
        await session.flush()


async def _pay_debt(
    session: AsyncSession, bill: SubscriptionBill, grant: CreditGrant, lot_id: str, at: datetime
) -> int:
    ledger = Ledger(await driver_connection(session))
    amount = min(await owed_minor(ledger, bill.org_id, CREDIT), grant.credits_minor)
    slices = take_lots([(uuid_of(lot_id), grant.credits_minor)], amount)
    key = subscription_debt_key(bill.subscription_id, grant.key)
    await pay_debt(session, bill.subscription_id, bill.org_id, slices, key=key, at=at)
    return amount


async def grant_omitted(session: AsyncSession, by: str, bill: SubscriptionBill, paid: Payment, at: datetime) -> None:
    """Grant the months that were omitted for a dispute of a bill's payment, as far as the bill is paid now.

    `by` is recorded as the actor. The credits first pay the organization's debt. The caller holds the locks of its
    debts, of the bill, and of the accounts of `services.billing.subscription_refund.touched_accounts`.
    """
    left = [await _grant(session, by, bill, _read(bill, each), paid, at) for each in bill.left_out]
    bill.left_out = [_stored(each) for each in left if each is not None]
    await session.flush()


async def _grant(
    session: AsyncSession, by: str, bill: SubscriptionBill, wanted: CreditGrant, paid: Payment | None, at: datetime
) -> CreditGrant | None:
    """Grant as much as the bill is paid for, and return the omitted rest under its own key."""
    if (await invoice.get(session, bill.invoice_id)).written_off_minor:
        return None  # the rest of the money is returned when it comes, also once a part of it has reopened the invoice
    deferred, gone = deferred_of(bill), _gone_minor(bill, paid)
    credits, cost = credits_left(wanted.credits_minor, wanted.paid_minor, deferred, gone_minor=gone)
    if credits:
        await _book(session, by, bill, replace(wanted, credits_minor=credits, paid_minor=cost), at)
    if credits == wanted.credits_minor:
        return None
    return replace(
        wanted,
        key=f"{wanted.key}:rest" if credits else wanted.key,
        credits_minor=wanted.credits_minor - credits,
        paid_minor=wanted.paid_minor - cost,
    )


async def _book(session: AsyncSession, by: str, bill: SubscriptionBill, grant: CreditGrant, at: datetime) -> None:
    key = subscription_grant_key(bill.subscription_id, grant.key)
    lot = CreditLot(
        id=new_id("lot"),
        org_id=bill.org_id,
        source=LotSource.SUBSCRIPTION.value,
        amount_minor=grant.credits_minor,
        payment_id=bill.payment_id,
        paid_minor=grant.paid_minor,
        paid_currency=bill.currency,
        created_by=by,
        command_id=key,
    )
    terms = LotTerms(
        source=LotSource.SUBSCRIPTION,
        paid_minor=grant.paid_minor,
        paid_asset=bill.currency if grant.paid_minor else None,
        payment_id=bill.payment_id,
        # The invoice of the period has charged the tax, so purchases with these credits are not taxed again.
        taxed=bill.gross_minor > bill.amount_minor,
        lot_id=uuid_of(lot.id),
    )
    issuance, wallet = accounts.platform("credit_issuance", CREDIT), accounts.org_credits(bill.org_id)
    postings = [Posting(issuance, wallet, grant.credits_minor, lots=terms)]
    if grant.paid_minor:
        deferred, owed = (accounts.platform(name, bill.currency) for name in (SUBSCRIPTIONS, "deferred_revenue"))
        postings.append(Posting(deferred, owed, grant.paid_minor))
    posted = await Ledger(await driver_connection(session)).post_compound(
        key=key,
        kind="subscription.granted",
        postings=postings,
        reference=bill.subscription_id,
        org_id=bill.org_id,
        effective_at=at,
    )
    lot.transfer_id = posted.transfer_id
    lot.debt_minor = await _pay_debt(session, bill, grant, lot.id, at)
    await credit_lot.add(session, lot)
    bill.granted_minor += grant.paid_minor
    granted = SubscriptionGrant(
        subscription_id=bill.subscription_id,
        key=grant.key,
        org_id=bill.org_id,
        bill_ref=grant.bill_ref,
        lot_id=lot.id,
        credits_minor=grant.credits_minor,
        paid_minor=grant.paid_minor,
        starts_at=grant.month.start,
        ends_at=grant.month.end,
        transfer_id=posted.transfer_id,
    )
    await subscription_bill.add(session, granted)


def _gone_minor(bill: SubscriptionBill, paid: Payment | None) -> int:
    """Return how much of a bill was refunded, lost or is disputed, without tax, rounded up."""
    gone = 0 if paid is None else not_kept_minor(paid)
    return -(-min(gone, bill.gross_minor) * bill.amount_minor // bill.gross_minor)


def _stored(left: CreditGrant) -> dict[str, str | int]:
    return {
        "key": left.key,
        "credits_minor": left.credits_minor,
        "paid_minor": left.paid_minor,
        "starts_at": left.month.start.isoformat(),
        "ends_at": left.month.end.isoformat(),
    }


def _read(bill: SubscriptionBill, stored: dict[str, Any]) -> CreditGrant:
    start, end = (datetime.fromisoformat(stored[name]) for name in ("starts_at", "ends_at"))
    return CreditGrant(
        key=stored["key"],
        credits_minor=stored["credits_minor"],
        bill_ref=bill.bill_ref,
        paid_minor=stored["paid_minor"],
        month=Period(start=start, end=end),
    )
