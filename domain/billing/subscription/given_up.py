"""The outcome of an order whose response was lost, as an operator states it. Pure."""

from dataclasses import replace
from datetime import datetime

from domain.billing.subscription.orders import CREATING, decline_order, end_subscription
from domain.billing.subscription.state import Subscription, Transition
from domain.common.errors import SubscriptionRefused

#: Stands where the provider's word for a decline would.
GIVEN_UP = "given_up"
#: The event of it.
ORDER_GIVEN_UP = "order_given_up"


def give_up(subscription: Subscription, *, actor: str, reason: str, at: datetime) -> Transition:
    """Drop an order whose answer was lost, after an operator has found that the provider did not execute it.

    As after a decline, the earlier terms continue, and a subscription that was never created has ended.

    Raises:
        SubscriptionRefused: no answer is missing.
    """
    order = subscription.order
    if order is None or not order.unknown:
        raise SubscriptionRefused(
            "No outcome at the provider is unknown, so nothing can be given up.",
            extra={"state": subscription.status.value},
        )
    unmade = subscription.ref is None or order.kind in CREATING
    dropped = (
        end_subscription(subscription, why=GIVEN_UP, actor=actor, at=at)
        if unmade
        else decline_order(subscription, why=GIVEN_UP, at=at)
    )
    details = {"order": order.kind.value, "why": GIVEN_UP, "reason": reason}
    return replace(dropped, event=ORDER_GIVEN_UP, actor=actor, details=details)
