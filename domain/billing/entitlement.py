"""The entitlements of plans, and the errors if one is missing or used up.

A number is a limit, and None means no limit. A feature has a limit of one or zero.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from domain.billing.plan import Plan, Plans
from domain.common.errors import EntitlementMissing, Invalid

#: The maximum number that a request can ask for.
MAX_QUANTITY = 1_000_000


class Entitlement(StrEnum):
    """The entitlements of a plan.

    Attributes:
        PROJECTS: how many projects there may be; slots add to it.
        DEPLOYS: how many of them may be deployed; slots add to it.
        SEATS: how many people may have keys: active principals that are no agents.
        API_ACCESS: the platform's own API may be used.
        CUSTOM_INTEGRATIONS: integrations may be built.
    """

    PROJECTS = "projects"
    DEPLOYS = "deploys"
    SEATS = "seats"
    API_ACCESS = "api_access"
    CUSTOM_INTEGRATIONS = "custom_integrations"


#: Features, which are included or not, and not counted.
FEATURES = frozenset({Entitlement.API_ACCESS, Entitlement.CUSTOM_INTEGRATIONS})
#: What slots add to.
_WITH_SLOTS = frozenset({Entitlement.PROJECTS, Entitlement.DEPLOYS})


@dataclass(frozen=True, slots=True, kw_only=True)
class EntitlementUse:
    """One entitlement of an organization: the limit, None if there is none, and how much of it is used."""

    entitlement: Entitlement
    limit: int | None
    used: int = 0

    def has_room(self, number: int) -> bool:
        """Return whether a number of further ones is within the limit."""
        return self.limit is None or self.used + number <= self.limit


def included_quantity(plan: Plan, entitlement: Entitlement) -> int | None:
    """Return what a plan includes of something: a number, None for any number, one or zero for a feature."""
    match entitlement:
        case Entitlement.PROJECTS:
            return plan.projects
        case Entitlement.DEPLOYS:
            return plan.deployments
        case Entitlement.SEATS:
            return plan.seats
        case Entitlement.API_ACCESS:
            return int(plan.api_access)
        case Entitlement.CUSTOM_INTEGRATIONS:
            return int(plan.custom_integrations)


def upgrade_options(
    plans: Plans, plan: Plan, entitlement: Entitlement, *, seats: int | None = None
) -> list[Mapping[str, object]]:
    """Return how an organization can get more: plans that include more, and seats or slots.

    Each is `{"way": "plan", "plan", "limit"}`, `{"way": "seat"}` on a plan that is sold by the seat, or `{"way":
    "slot"}`. `seats` are those that were bought.
    """
    by_seat = entitlement is Entitlement.SEATS and plan.is_per_seat
    has = seats if by_seat else included_quantity(plan, entitlement)
    found: list[Mapping[str, object]] = [
        {"way": "plan", "plan": other.name, "limit": more}
        for other in plans.all
        if other is not plan
        and other.is_sold
        and other.prices
        and _is_more(more := included_quantity(other, entitlement), has)
    ]
    if by_seat:
        return [{"way": "seat"}, *found]
    return [*found, {"way": "slot"}] if entitlement in _WITH_SLOTS else found


def require_room(plans: Plans, plan: Plan, standing: EntitlementUse, number: int = 1) -> None:
    """Check that a number of further ones is within an entitlement; projects and deployments have checks of their own.

    Raises:
        EntitlementMissing: the plan does not include it, or not so many more.
        Invalid: the number is out of bounds, or it is a feature and more than one.
    """
    what = standing.entitlement
    if not 0 < number <= (1 if what in FEATURES else MAX_QUANTITY):
        most = 1 if what in FEATURES else MAX_QUANTITY
        raise Invalid(f"The quantity of {what.value} must be from 1 to {most}.", extra={"field": "quantity"})
    if standing.has_room(number):
        return
    if what in FEATURES:
        why = f"The plan {plan.name} does not include {what.value}."
    else:
        why = f"{standing.used} of {standing.limit} {what.value} of the plan {plan.name} are used."
    ways = upgrade_options(plans, plan, what, seats=standing.limit)
    more = "Buy more seats." if {"way": "seat"} in ways else "Change the plan."
    raise EntitlementMissing(
        f"{why} {more if ways else 'No plan includes more.'}",
        extra={
            "entitlement": what.value,
            "limit": standing.limit,
            "used": standing.used,
            "plan": plan.name,
            "ways_up": ways,
        },
    )


def _is_more(more: int | None, has: int | None) -> bool:
    return has is not None and (more is None or more > has)
