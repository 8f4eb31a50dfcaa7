"""Events of subscriptions: each state, and each change of what is agreed."""

from datetime import datetime

from domain.billing.plan import Interval
from domain.billing.subscription.state import Subscription, SubscriptionStatus
from domain.common.money import format_amount
from domain.messages.events import (
    JSON,
    Event,
    EventType,
    amount_field,
    asset_field,
    boolean_field,
    code_field,
    count_field,
    enum_field,
    format_time,
    id_field,
    time_field,
)

S = SubscriptionStatus

_FIELDS = {
    "subscription_id": id_field("sub", "The subscription."),
    "status": enum_field("The subscription's status.", S),
    "plan": code_field("The agreed plan.", "starter"),
    "interval": enum_field("The billing interval.", Interval),
    "currency": asset_field("The currency of the price.", "USD"),
    "price": amount_field("The price of an interval.", "29.00"),
    "recurring_price": amount_field(
        "What further intervals are billed: the price less the discounts that last.", "29.00"
    ),
    "recurring_net": amount_field(
        "The same without tax, by the newest invoice; the price itself before there is one.", "24.37"
    ),
    "seats": count_field("The number of seats bought; null if the plan has no seats.", 5, nullable=True),
    "period_end": time_field("When the current period ends.", nullable=True),
    "cancels_at_period_end": boolean_field("Whether the subscription ends at that time."),
}
#: What each state of a subscription says.
STATES = {
    S.CREATED: "A subscription was created.",
    S.INCOMPLETE: "Its first payment is awaited.",
    S.TRIALING: "A trial has begun.",
    S.ACTIVE: "The subscription is paid for.",
    S.PAST_DUE: "The payment of a period failed; the provider retries it.",
    S.UNPAID: "The provider has stopped retrying; the organization has the free plan.",
    S.ENDED: "The subscription has ended.",
}
UPDATED = "subscription.updated"

TYPES = (
    *(
        EventType(type=f"subscription.{status}", sentence=sentence, fields=_FIELDS, shown={"status": status.value})
        for status, sentence in STATES.items()
    ),
    EventType(
        type=UPDATED,
        sentence="The plan or price was changed, a new period has begun, or its end was set or revoked.",
        fields=_FIELDS,
        shown={"status": S.ACTIVE.value},
    ),
)


def subscription_events(
    before: Subscription | None, after: Subscription, at: datetime, *, net_minor: int
) -> list[Event]:
    """Return the events that the change of a subscription makes; `net_minor` is what recurs after it, without tax."""
    data = data_of(after, net_minor)
    if before is not None and before.status is after.status:
        if data_of(before, net_minor) == data:
            return []
        return [Event(UPDATED, after.org_id, after.subscription_id, data, at)]
    return [Event(f"subscription.{after.status}", after.org_id, after.subscription_id, data, at)]


def data_of(subscription: Subscription, net_minor: int) -> dict[str, JSON]:
    """Return the data of a subscription's events; `net_minor` is what recurs, without tax."""
    terms, period = subscription.terms, subscription.period
    return {
        "subscription_id": subscription.subscription_id,
        "status": subscription.status.value,
        "plan": terms.plan,
        "interval": terms.interval.value,
        "currency": terms.currency,
        "price": format_amount(terms.amount_minor, terms.currency),
        "recurring_price": format_amount(subscription.recurring_minor, terms.currency),
        "recurring_net": format_amount(net_minor, terms.currency),
        "seats": terms.seats,
        "period_end": format_time(period.end if period else None),
        "cancels_at_period_end": subscription.cancel_at_period_end,
    }
