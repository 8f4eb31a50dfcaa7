"""Subscriptions and what their provider says of them, for tests."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from domain.billing.plan import DEFAULT_PLANS, Interval, plans_from
from domain.billing.subscription.commands import order_change, preview
from domain.billing.subscription.converge import converge
from domain.billing.subscription.orders import confirm_order
from domain.billing.subscription.snapshot import Bill, BillReason, BillState, ProviderState, SubscriptionSnapshot
from domain.billing.subscription.state import OrderKind, Subscription, SubscriptionOrder, Terms, Transition
from domain.billing.subscription.terms import terms_of
from domain.common.period import Anchor, Period

PLANS = plans_from(DEFAULT_PLANS)
MONTH, YEAR = Interval.MONTH, Interval.YEAR
START = datetime(2026, 1, 31, 10, tzinfo=UTC)
ANCHOR = Anchor(at=START)
WORKFLOW = "workflow"


def terms(plan: str, interval: Interval = MONTH) -> Terms:
    return replace(terms_of(PLANS.get(plan), interval, "USD"), price_id=f"price_{plan}_{interval.value}")


def created(plan: str = "starter", interval: Interval = MONTH, **changes: Any) -> Subscription:
    return Subscription(
        subscription_id="sub_1",
        org_id="org_1",
        customer="cus_1",
        provider="stripe",
        terms=terms(plan, interval),
        order=SubscriptionOrder(kind=OrderKind.CREATE, command_id="cmd_1"),
        **changes,
    )


def month(number: int, months: int = 1) -> Period:
    return Period(start=ANCHOR.after(number), end=ANCHOR.after(number + months))


def bill(number: int, amount_minor: int, period: Period | None, **changes: Any) -> Bill:
    base = Bill(
        ref=f"in_{number}",
        state=BillState.PAID,
        reason=BillReason.CREATE if number == 0 else BillReason.CYCLE,
        currency="USD",
        total_minor=amount_minor,
        paid_minor=amount_minor,
        created_at=START if period is None else period.start,
        period=period,
    )
    return replace(base, **changes)


def unpaid(number: int, amount_minor: int, period: Period) -> Bill:
    return bill(number, amount_minor, period, state=BillState.OPEN, paid_minor=0)


def seen(*bills: Bill, state: ProviderState = ProviderState.ACTIVE, **changes: Any) -> SubscriptionSnapshot:
    base = SubscriptionSnapshot(
        ref="sub_there",
        customer="cus_1",
        state=state,
        price_id="price",
        item_ref="si_1",
        period=month(0),
        bills=bills,
    )
    return replace(base, **changes)


def taken(subscription: Subscription, snapshot: SubscriptionSnapshot, at: datetime = START) -> Transition:
    outcome = converge(subscription, snapshot, at)
    assert outcome is not None
    return outcome


def active(plan: str = "starter", interval: Interval = MONTH) -> Subscription:
    """A subscription whose first period is paid."""
    period = month(0, interval.months)
    made = confirm_order(created(plan, interval))
    return taken(made, seen(bill(0, made.terms.amount_minor, period), period=period)).subscription


def ordered(held: Subscription, to: Terms, at: datetime, command_id: str = "cmd_2") -> Subscription:
    """Order a change, and have the provider confirm it."""
    shown = preview(held, PLANS, to, 1, at)
    return confirm_order(order_change(held, shown, command_id, actor="kim").subscription)


def days(number: int) -> timedelta:
    return timedelta(days=number)
