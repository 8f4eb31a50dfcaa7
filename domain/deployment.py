"""How many projects an organization may have and deploy: its tier's share, and one more of each for every slot.

Slots are an asset of the books: bought by a payment, used by a deployed project, taken back with a refund or a
chargeback.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from domain.errors import Conflict, Invalid
from domain.money import ISSUED, MAX_AMOUNT_MINOR, SCALES, format_amount, parse_amount

#: How many one payment can be for.
MAX_SLOTS = 1_000
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
    """What an organization has, and what it uses: its slots apart by whether a deployed project occupies them."""

    tier: Tier
    projects: int
    deployments: int
    slots_free: int
    slots_in_use: int

    @property
    def project_limit(self) -> int:
        """How many projects there may be."""
        return TIERS[self.tier].projects + self.slots_free + self.slots_in_use

    @property
    def deployment_limit(self) -> int:
        """How many of them may be deployed."""
        return TIERS[self.tier].deployments + self.slots_free + self.slots_in_use


def check_new_project(usage: Usage) -> None:
    """Refuse a project beyond the limit.

    Raises:
        LimitReached: there are as many as there may be.
    """
    if usage.projects >= usage.project_limit:
        raise LimitReached(
            f"There are {usage.projects} projects of {usage.project_limit}. Buy a slot, or change the tier.",
            extra={"limit": usage.project_limit, "used": usage.projects},
        )


def slots_to_take(usage: Usage) -> int:
    """Return how many slots one more deployment occupies: none while the tier has room, otherwise one.

    Raises:
        LimitReached: neither the tier nor a slot has room.
    """
    if usage.deployments - usage.slots_in_use < TIERS[usage.tier].deployments:
        return 0
    if usage.slots_free < 1:
        raise LimitReached(
            f"{usage.deployments} projects are deployed of {usage.deployment_limit}. Buy a slot, or change the tier.",
            extra={"limit": usage.deployment_limit, "used": usage.deployments},
        )
    return 1


def slots_to_give_back(usage: Usage) -> int:
    """Return how many slots are free again when one deployment ends: its tier's room is used before slots are."""
    return min(1, usage.slots_in_use)


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
            raise Invalid(f"Nothing can cost more than {limit} {self.currency}.", extra={"field": "slots"})
        return cost


def slot_price(price: str, currency: str) -> SlotPrice:
    """Read the price of a slot from the settings.

    Raises:
        Invalid: the price is no positive amount of the currency, or the currency is unknown or no money.
    """
    if currency not in SCALES or currency in ISSUED:
        raise Invalid("Slots are sold for a currency such as USD.")
    return SlotPrice(price_minor=parse_amount(price, currency), currency=currency)
