"""How many projects an organization may have and deploy: its tier's share, and one more of each for every slot.

Slots are an asset of the books: bought by a payment, used by what is deployed beyond the tier's share, taken back with
a refund or a chargeback.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from domain.errors import Conflict, Invalid
from domain.money import ISSUED, MAX_AMOUNT_MINOR, SCALES, format_amount, parse_amount

#: How many one payment can be for.
MAX_SLOTS = 1_000
#: The longest slug, as a label of a host name may be.
MAX_SLUG = 63
#: What a project goes by in its address.
SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


class Tier(StrEnum):
    """What an organization is on."""

    FREE = "free"
    PREMIUM = "premium"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many projects, and how many of them deployed."""

    projects: int
    deployments: int


TIERS: Mapping[Tier, Limits] = {
    Tier.FREE: Limits(projects=1, deployments=1),
    Tier.PREMIUM: Limits(projects=5, deployments=5),
}


class LimitReached(Conflict):
    """The organization has or deploys as many projects as it may; `extra` has the limit and what is used of it."""

    code = "deployment.limit_reached"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What an organization has, and what it uses.

    Attributes:
        tier: what it is on.
        projects: how many it has.
        deployments: how many of them are deployed.
        slots_free: slots that it has and does not use.
        slots_in_use: slots that deployed projects occupy.
        slots_owed: slots that a chargeback took while they were in use; the next ones repay them.
    """

    tier: Tier
    projects: int
    deployments: int
    slots_free: int
    slots_in_use: int
    slots_owed: int = 0

    @property
    def project_limit(self) -> int:
        """How many projects there may be."""
        return TIERS[self.tier].projects + self.slots_free + self.slots_in_use

    @property
    def deployment_limit(self) -> int:
        """How many of them may be deployed."""
        return TIERS[self.tier].deployments + self.slots_free + self.slots_in_use

    @property
    def slots_needed(self) -> int:
        """How many slots what is deployed would occupy: one for each deployment beyond the tier's share."""
        return max(0, self.deployments - TIERS[self.tier].deployments)


def check_new_project(usage: Usage) -> None:
    """Refuse a project beyond the limit.

    Raises:
        LimitReached: there are as many as there may be.
    """
    if usage.projects >= usage.project_limit:
        raise LimitReached(
            f"{usage.projects} of {usage.project_limit} allowed projects exist. Buy a slot or change the tier.",
            extra={"limit": usage.project_limit, "used": usage.projects},
        )


def slots_to_take(usage: Usage) -> int:
    """Return how many slots one more deployment takes: none while the tier has room, otherwise one.

    It takes more where more is deployed than the tier and the slots had room for, because the tier was lowered: slots
    that are bought then cover what runs already, and only then something new.

    Raises:
        LimitReached: neither the tier nor a slot has room.
    """
    if usage.deployments >= usage.deployment_limit:
        raise limit_reached(usage)
    needed = max(0, usage.deployments + 1 - TIERS[usage.tier].deployments)
    return max(0, needed - usage.slots_in_use)


def slots_to_give_back(usage: Usage) -> int:
    """Return how many slots are in use and no longer needed, after something was undeployed or the tier changed."""
    return max(0, usage.slots_in_use - usage.slots_needed)


def given_back(slots: int, owed: int) -> tuple[int, int]:
    """Split slots that are given back: how many repay what is owed, and how many are free again."""
    repaid = min(slots, owed)
    return repaid, slots - repaid


def limit_reached(usage: Usage) -> LimitReached:
    """Return the refusal of one more deployment."""
    return LimitReached(
        f"{usage.deployments} of {usage.deployment_limit} allowed deployments exist. Buy a slot or change the tier.",
        extra={"limit": usage.deployment_limit, "used": usage.deployments},
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
