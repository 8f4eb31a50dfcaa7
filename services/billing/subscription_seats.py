"""Alerts an organization that has more people than seats after a change of its subscription.

`domain.billing.subscription.terms.require_seats` refuses a change to too few seats when it is requested. It takes
effect later, when more people may have keys; it still takes effect, and no key is revoked.
"""

from sqlalchemy.ext.asyncio import AsyncSession

from domain.billing.plan import Plans
from domain.billing.subscription.state import Subscription
from domain.billing.subscription.terms import seats_of
from repositories.billing import subscription as subscriptions
from repositories.messages import alert
from repositories.tenants import api_key

#: The kind of the alert; it is resolved once there are enough seats.
SEATS_EXCEEDED = "subscription.seats_exceeded"
#: The maximum number of subscriptions in one transaction.
_LIMIT = 1000


async def check_seats(session: AsyncSession, before: Subscription | None, after: Subscription, plans: Plans) -> None:
    """Raise the alert if the terms have changed and there are too few seats, and resolve it once there are enough."""
    if before is not None and (before.terms, before.is_entitled) == (after.terms, after.is_entitled):
        return
    limit = _limit(after, plans)
    people = 0 if limit is None else await api_key.seats(session, after.org_id)
    if limit is None or people <= limit:
        await alert.close_cases(session, after.subscription_id, (SEATS_EXCEEDED,))
        return
    await alert.raise_alert(
        session,
        kind=SEATS_EXCEEDED,
        subject=after.subscription_id,
        detail=f"{people} people have keys, and the plan {after.terms.plan} has {limit} seats. No key was revoked. "
        "Revoke keys, or change the plan.",
        org_id=after.org_id,
        shared=True,
        for_operators=False,
        key=f"{SEATS_EXCEEDED}:{after.subscription_id}:{after.version}",
    )


async def resolve_alerts(session: AsyncSession, plans: Plans) -> int:
    """Resolve the alerts of subscriptions that have enough seats by now, because keys were revoked or have expired."""
    open_of = await alert.unresolved_subjects(session, SEATS_EXCEEDED, limit=_LIMIT)
    closed = 0
    for subscription_id in open_of:
        held = await subscriptions.get(session, subscription_id)
        limit = None if held is None else _limit(held, plans)
        if held is None or limit is None or await api_key.seats(session, held.org_id) <= limit:
            await alert.close_cases(session, subscription_id, (SEATS_EXCEEDED,))
            closed += 1
    return closed


def _limit(held: Subscription, plans: Plans) -> int | None:
    """Return how many seats there are; None for any number, and on the free plan."""
    return seats_of(plans.of(held.terms.plan), held.terms) if held.is_entitled else None
