"""While an organization is suspended, its subscription ends with its period. Pure.

It continues if the organization is resumed before that.
"""

from dataclasses import replace

from domain.billing.subscription.snapshot import ProviderState
from domain.billing.subscription.state import WORKFLOW, OrderKind, Subscription, SubscriptionOrder, Transition

#: The alert that the provider still charges a suspended organization.
STILL_CHARGED = "organization.subscription_goes_on"
#: Why a subscription ended: its organization was suspended at the end of its period.
SUSPENDED = "suspended"
#: States in which the provider charges another period.
_CHARGED = frozenset({ProviderState.TRIALING, ProviderState.ACTIVE, ProviderState.PAST_DUE})


def follow_suspension(subscription: Subscription, state: ProviderState, *, suspended: bool) -> Transition | None:
    """Order the end or the continuation of the subscription if the suspension has changed; None if it has not.

    A cancellation that somebody ordered and a pending downgrade stay. Until the provider confirms, the subscription is
    shown unchanged.
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
    # A provider stores refusals by key, so each attempt has its own.
    order = SubscriptionOrder(kind=kind, command_id=f"{kind.value}:{subscription.version + 1}")
    after = replace(subscription, order=order, ends_by_suspension=True)
    return Transition(subscription=after, event=event, actor=WORKFLOW, details={"why": SUSPENDED} if suspended else {})
