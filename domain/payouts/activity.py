"""An organization's activity: facts by category, with their status and the changes of balances. Pure.

One transfer is one fact, except that all transfers of an escrow, or of a payout, are one. Their
entries on the organization's accounts add up to changes of the parts of `domain.payouts.summary`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from domain.marketplace.sale import PURCHASE
from domain.payouts.summary import SummaryPart, part_of

#: The first words of the kinds of transfers that hold money and release it later.
MERGED = ("escrow", "payout")


class FactStatus(StrEnum):
    """Whether a fact has taken its money, or only holds it."""

    PENDING = "pending"  # money is in escrow, or on its way to a bank account
    COMPLETED = "completed"
    REVERSED = "reversed"  # all of the held money was returned


class Category(StrEnum):
    """Category of a fact."""

    PAYMENT = "payment"  # money from outside, its refunds and chargebacks
    CREDITS = "credits"  # grants, expiry, bonuses
    ESCROW = "escrow"
    USE = "use"  # credits used, and refunds of uses
    MARKETPLACE = "marketplace"  # agents bought and sold
    BILLING = "billing"  # plans and invoices
    EARNINGS = "earnings"  # payouts, conversions, recoveries
    SLOTS = "slots"
    OTHER = "other"


#: Category by the first word of the kind of a transfer.
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
    """Return the first words of the kinds of transfer in a category; for `OTHER`, those of all other categories."""
    named = tuple(_NOUNS)
    return named if category is Category.OTHER else tuple(noun for noun in named if _NOUNS[noun] is category)


def category_of(kind: str, action: str | None) -> Category:
    """Return the category of a transfer, by its kind and by the action of its spend, if it has one."""
    noun = "marketplace" if action == PURCHASE else kind.partition(".")[0]
    return _NOUNS.get(noun, Category.OTHER)


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetChange:
    """Change of an organization's balances in one asset, in minor units; parts as in `AssetSummary`."""

    asset: str
    parts: dict[SummaryPart, int] = field(default_factory=dict)

    def of(self, *parts: SummaryPart) -> int:
        """Add up parts. Debts and unpaid invoices are negative, as in the books."""
        return sum(self.parts.get(part, 0) for part in parts)

    @property
    def total(self) -> int:
        return sum(self.parts.values())


def asset_changes(entries: Iterable[tuple[str, str, int]]) -> tuple[AssetChange, ...]:
    """Add up entries on an organization's accounts (path, asset, minor units) by asset, in order."""
    found: dict[str, AssetChange] = {}
    for path, asset, amount_minor in sorted(entries):
        parts = found.setdefault(asset, AssetChange(asset=asset)).parts
        parts[part_of(path)] = parts.get(part_of(path), 0) + amount_minor
    return tuple(change for _, change in sorted(found.items()))


def status_of(changes: Iterable[AssetChange], transfers: int) -> FactStatus:
    """Return the status of a fact by the changes of all its transfers."""
    changes = tuple(changes)
    if any(change.of(SummaryPart.IN_ESCROW, SummaryPart.IN_PAYOUTS) > 0 for change in changes):
        return FactStatus.PENDING
    is_moved = any(amount for change in changes for amount in change.parts.values())
    return FactStatus.COMPLETED if is_moved or transfers == 1 else FactStatus.REVERSED


def agent_in(paths: Iterable[str]) -> str | None:
    """Return the agent whose account is among the paths; None if there is none."""
    return next((path.split("/")[1] for path in sorted(paths) if path.startswith("agent/")), None)
