"""The limits of projects and deployments: the plan's number, and one more of each for every slot.

Slots are an asset in the ledger: bought by payments, used by deployments beyond the plan's number, and clawed back
after a refund or a chargeback.
"""

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

from domain.billing.entitlement import Entitlement, upgrade_options
from domain.billing.plan import Plan, Plans
from domain.common.errors import Conflict, Invalid, LimitReached
from domain.common.money import ISSUED, MAX_AMOUNT_MINOR, SCALES, format_amount, parse_amount

#: The maximum number of slots in one payment.
MAX_SLOTS = 1_000
#: The longest slug, as a label of a host name may be.
MAX_SLUG = 63
#: What a project goes by in its address.
SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


class DeployType(StrEnum):
    """The purpose of a project's deployment."""

    DEVELOPMENT = "development"
    STAGING = "staging"
    PRODUCTION = "production"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectUsage:
    """An organization's plan, projects and slots.

    Attributes:
        plan: its plan; `plans` are all plans.
        projects: the number of projects.
        deployments: the number of deployed ones.
        slots_free: unused slots.
        slots_in_use: slots used by deployed projects.
        slots_owed: slots that a chargeback took while they were in use; the next ones repay them.
    """

    plan: Plan
    plans: Plans
    projects: int
    deployments: int
    slots_free: int
    slots_in_use: int
    slots_owed: int = 0

    @property
    def project_limit(self) -> int | None:
        """How many projects there may be; None for any number."""
        return self._with_slots(self.plan.projects)

    @property
    def deployment_limit(self) -> int | None:
        """How many of them may be deployed; None for any number."""
        return self._with_slots(self.plan.deployments)

    def _with_slots(self, share: int | None) -> int | None:
        return None if share is None else share + self.slots_free + self.slots_in_use

    def slots_for(self, deployments: int) -> int:
        """Return the slots that a number of deployments uses: one for each beyond the plan's number."""
        return 0 if self.plan.deployments is None else max(0, deployments - self.plan.deployments)

    @property
    def slots_needed(self) -> int:
        return self.slots_for(self.deployments)


def check_new_project(usage: ProjectUsage, number: int = 1) -> None:
    """Check that there is room for one more project.

    Raises:
        LimitReached: the limit is reached.
    """
    limit = usage.project_limit
    if limit is not None and usage.projects + number > limit:
        raise _limit_reached(usage, Entitlement.PROJECTS, limit, usage.projects)


def check_new_deployment(usage: ProjectUsage, number: int = 1) -> None:
    """Check that there is room for one more deployment.

    Raises:
        LimitReached: neither the plan nor a slot has room.
    """
    limit = usage.deployment_limit
    if limit is not None and usage.deployments + number > limit:
        raise limit_reached(usage)


def slots_to_take(usage: ProjectUsage) -> int:
    """Return how many slots one more deployment takes: none while the plan has room, otherwise one.

    It is more if the plan was lowered and more is deployed than plan and slots allow: new slots first cover the running
    deployments. It is negative if the plan includes more than when the slots were taken: that many are freed.

    Raises:
        LimitReached: neither the plan nor a slot has room.
    """
    check_new_deployment(usage)
    return usage.slots_for(usage.deployments + 1) - usage.slots_in_use


def slots_to_return(usage: ProjectUsage) -> int:
    """Return how many used slots are no longer needed, after an undeployment or a change of the plan."""
    return max(0, usage.slots_in_use - usage.slots_needed)


def split_freed(slots: int, owed: int) -> tuple[int, int]:
    """Split freed slots: how many repay owed ones, and how many become free."""
    repaid = min(slots, owed)
    return repaid, slots - repaid


def limit_reached(usage: ProjectUsage) -> Conflict:
    """Return the error of one more deployment."""
    return _limit_reached(usage, Entitlement.DEPLOYS, usage.deployment_limit, usage.deployments)


def _limit_reached(usage: ProjectUsage, what: Entitlement, limit: int | None, used: int) -> Conflict:
    things = "projects" if what is Entitlement.PROJECTS else "deployments"
    ways = upgrade_options(usage.plans, usage.plan, what)
    return LimitReached(
        f"{used} of {limit} allowed {things} exist. Buy a slot or change the plan.",
        extra={"entitlement": what.value, "limit": limit, "used": used, "plan": usage.plan.name, "ways_up": ways},
    )


def slug_of(name: str) -> str:
    """Make a slug of a name: letters and digits in lower case without accents, everything else one hyphen.

    Raises:
        Invalid: nothing of the name is left.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub("[^a-z0-9]+", "-", plain).strip("-")[:MAX_SLUG].rstrip("-")
    if not slug:
        raise Invalid("No slug can be made from this name. Send a slug.", extra={"field": "slug"})
    return slug


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotPrice:
    """What one slot costs, in minor units of a currency."""

    price_minor: int
    currency: str

    def of(self, slots: int) -> int:
        """Return what so many cost.

        Raises:
            Invalid: it is more than the books hold.
        """
        cost = self.price_minor * slots
        if cost > MAX_AMOUNT_MINOR:
            limit = format_amount(MAX_AMOUNT_MINOR, self.currency)
            raise Invalid(f"The price must not be greater than {limit} {self.currency}.", extra={"field": "slots"})
        return cost


def slot_price(price: str, currency: str) -> SlotPrice:
    """Read the price of a slot from the settings.

    Raises:
        Invalid: the price is no positive amount of the currency, or the currency is unknown or no money.
    """
    if currency not in SCALES or currency in ISSUED:
        raise Invalid("The currency that slots are sold for must be money, such as USD.")
    return SlotPrice(price_minor=parse_amount(price, currency), currency=currency)
