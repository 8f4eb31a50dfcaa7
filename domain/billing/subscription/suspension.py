"""What the suspension of an organization does to its subscription: no further period is charged. Pure.

While its organization is suspended, a subscription ends with its period. It goes on if the organization is resumed
before that.
"""

from dataclasses import replace

from domain.billing.subscription.snapshot import ProviderState
from domain.billing.subscription.state import WORKFLOW, OrderKind, Subscription, SubscriptionOrder, Transition

#: The alert that the provider goes on charging a suspended organization.
STILL_CHARGED = "organization.subscription_goes_on"
#: Why a subscription has ended whose organization was suspended when its period was over.
SUSPENDED = "suspended"
#: What the provider charges for another period.
_CHARGED = frozenset({ProviderState.TRIALING, ProviderState.ACTIVE, ProviderState.PAST_DUE})


def follow_suspension(subscription: Subscription, state: ProviderState, *, suspended: bool) -> Transition | None:
    """Return the order that follows from the organization's standing; None if there is nothing to order.

    A cancellation that somebody ordered stays as it is, and so does a smaller plan that waits. Until the provider
    confirms, the subscription is shown as it was.
    """
    if subscription.order is not None or state not in _CHARGED:
        return None
    ends = subscription.cancel_at_period_end
    if suspended and not ends:
        kind, event = OrderKind.SUSPEND, "cancellation_ordered"
    elif not suspended and ends and subscription.ends_by_suspension:
        kind, event = OrderKind.GO_ON, "resumed"
    else:
        return None
    # A provider remembers what it has refused by the key, so each try has its own.
    order = SubscriptionOrder(kind=kind, command_id=f"{kind.value}:{subscription.version + 1}")
    after = replace(subscription, order=order, ends_by_suspension=True)
    return Transition(subscription=after, event=event, actor=WORKFLOW, details={"why": SUSPENDED} if suspended else {})
