"""The recurring price of a subscription: the recurring lines of the bill of its newest period.

A discount that lasts reduces it. A discount on one bill alone changes nothing, and neither do prorations, balances at
the provider, or what else is on a bill.
"""

from collections.abc import Sequence
from dataclasses import replace

from domain.billing.invoice.arithmetic import discounted
from domain.billing.subscription.downgrade import charged_minor
from domain.billing.subscription.snapshot import Bill, BillReason, BillState
from domain.billing.subscription.state import Recurring, Subscription, Terms

_BEGINS = frozenset({BillReason.CREATE, BillReason.CYCLE})


def with_recurring(subscription: Subscription, bills: Sequence[Bill]) -> Subscription:
    """Return the subscription with what recurs by its newest period's bill, noted once for each period.

    A bill counts when its period begins: once it is paid, or on net terms once it is requested. One of nothing before
    discounts, such as a trial's, says nothing.
    """
    prices, noted = {subscription.terms.price_id}, subscription.recurring
    for bill in bills:
        is_requested = bool(subscription.terms.net_days) and bill.state is BillState.OPEN and bill.reason in _BEGINS
        charged = charged_minor(bill, prices)
        if bill.period is None or bill.reason is BillReason.OTHER or charged <= 0 or not (bill.is_paid or is_requested):
            continue
        if noted is None or bill.period.end > noted.until:
            amount = discounted(charged, bill.discounts)
            noted = Recurring(until=bill.period.end, amount_minor=amount, discounts=bill.discounts)
    return replace(subscription, recurring=noted)


def recurring_after_upgrade(recurring: Recurring | None, terms: Terms) -> Recurring | None:
    """Return what recurs after an upgrade: its price, with the discounts of the period's bill."""
    if recurring is None:
        return None
    return replace(recurring, amount_minor=discounted(terms.amount_minor, recurring.discounts))
