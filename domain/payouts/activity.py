"""An organization's activity: what each transfer of its books was, and what it changed. Pure.

One transfer is one fact. Its entries on the organization's accounts add up to changes of the parts that
`domain.payouts.summary` shows of the organization.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from domain.marketplace.sale import PURCHASE
from domain.payouts.summary import SummaryPart, part_of


class Category(StrEnum):
    """What a fact is about."""

    PAYMENT = "payment"  # money from outside, its refunds and chargebacks
    CREDITS = "credits"  # grants, expiry, bonuses
    ESCROW = "escrow"
    USE = "use"  # credits used, and refunds of uses
    MARKETPLACE = "marketplace"  # agents bought and sold
    BILLING = "billing"  # plans and invoices
    EARNINGS = "earnings"  # payouts, conversions, recoveries
    SLOTS = "slots"
    OTHER = "other"


#: By the noun that the kind of a transfer begins with.
_NOUNS = {
    "payment": Category.PAYMENT,
    "credit": Category.CREDITS,
    "lots": Category.CREDITS,
    "referral": Category.CREDITS,
    "escrow": Category.ESCROW,
    "use": Category.USE,
    "use_refund": Category.USE,
    "marketplace": Category.MARKETPLACE,
    "invoice": Category.BILLING,
    "credit_note": Category.BILLING,
    "subscription": Category.BILLING,
    "payout": Category.EARNINGS,
    "earnings": Category.EARNINGS,
    "slots": Category.SLOTS,
}


def nouns_of(category: Category) -> tuple[str, ...]:
    """Return the first words of the kinds of transfer in a category; of `OTHER`, those that are in no other."""
    named = tuple(_NOUNS)
    return named if category is Category.OTHER else tuple(noun for noun in named if _NOUNS[noun] is category)


def category_of(kind: str, action: str | None) -> Category:
    """Return what a transfer is about, by its kind and by the action of its spend, if it has one."""
    noun = "marketplace" if action == PURCHASE else kind.partition(".")[0]
    return _NOUNS.get(noun, Category.OTHER)


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetChange:
    """What a transfer changed of what an organization has in one asset, in minor units; parts as in `AssetSummary`."""

    asset: str
    parts: dict[SummaryPart, int] = field(default_factory=dict)

    def of(self, *parts: SummaryPart) -> int:
        """Add up parts. Debts and unpaid invoices are negative, as in the books."""
        return sum(self.parts.get(part, 0) for part in parts)

    @property
    def total(self) -> int:
        return sum(self.parts.values())


def asset_changes(entries: Iterable[tuple[str, str, int]]) -> tuple[AssetChange, ...]:
    """Add up entries on an organization's accounts, each a path, an asset and minor units, by asset in their order."""
    found: dict[str, AssetChange] = {}
    for path, asset, amount_minor in sorted(entries):
        parts = found.setdefault(asset, AssetChange(asset=asset)).parts
        parts[part_of(path)] = parts.get(part_of(path), 0) + amount_minor
    return tuple(change for _, change in sorted(found.items()))


def agent_in(paths: Iterable[str]) -> str | None:
    """Return the agent whose account is among the paths; None if there is none."""
    return next((path.split("/")[1] for path in sorted(paths) if path.startswith("agent/")), None)
