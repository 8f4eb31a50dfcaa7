"""The summary of an organization: which account of the books feeds which part. Pure.

Each account of an organization feeds exactly one part, so the parts of one asset add up to what the books hold of it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.common.money import CREDIT, SLOT
from domain.payouts.payable import EarningsShare, PayableState


class SummaryPart(StrEnum):
    """What the money on an account is to its organization."""

    WALLET = "wallet"  # can be spent, or is set aside by holds
    IN_USE = "in_use"  # slots that deployed projects occupy
    IN_ESCROW = "in_escrow"  # paid into escrows, and not settled yet
    IN_PAYMENTS = "in_payments"  # on its way in or back, or disputed
    IN_PAYOUTS = "in_payouts"  # taken out of earnings, and not sent yet
    EARNINGS = "earnings"  # what agents have earned
    GRANTED_EARNINGS = "granted_earnings"  # and nobody paid for
    OWN_WORK = "own_work"  # and the organization paid itself
    OWED = "owed"  # below zero: debts
    INVOICED = "invoiced"  # below zero: invoices that are not paid


#: The first and the third segment of a path, as `domain.common.accounts` makes them; an escrow's has two.
_FED_BY: dict[tuple[str, str], SummaryPart] = {
    ("org", "credits"): SummaryPart.WALLET,
    ("org", "cash"): SummaryPart.WALLET,
    ("org", "slots"): SummaryPart.WALLET,
    ("org", "slots_in_use"): SummaryPart.IN_USE,
    ("org", "payments"): SummaryPart.IN_PAYMENTS,
    ("org", "payouts"): SummaryPart.IN_PAYOUTS,
    ("org", "debt"): SummaryPart.OWED,
    ("org", "receivable"): SummaryPart.INVOICED,
    ("agent", "earnings"): SummaryPart.EARNINGS,
    # Empty at every commit: what was paid is shared within the same transaction.
    ("agent", "sales"): SummaryPart.EARNINGS,
    ("agent", "granted_earnings"): SummaryPart.GRANTED_EARNINGS,
    ("agent", "own_work"): SummaryPart.OWN_WORK,
    ("escrow", ""): SummaryPart.IN_ESCROW,
}
#: What a path is known by, `org/credits`, for statements that ask which accounts feed no part.
FAMILIES = tuple(f"{root}/{kind}" for root, kind in _FED_BY)


def part_of(path: str) -> SummaryPart:
    """Return the one part that an organization's account feeds.

    Raises:
        LookupError: an organization has no such account.
    """
    root, _, rest = path.partition("/")
    return _FED_BY[root, rest.split("/")[1] if "/" in rest else ""]


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyBalance:
    """The balances of one family of accounts in an asset, by agent where accounts are; in minor units.

    Attributes:
        path: any path of the family; what names one account of many is left out.
        held_minor: what holds reserve of `posted_minor`.
    """

    path: str
    asset: str
    agent_id: str | None = None
    posted_minor: int
    held_minor: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Earnings:
    """What agents have earned of one asset and still have, in minor units; `agent_id` is None for all of them.

    Attributes:
        available: can be paid out now.
        pending: too young to be paid out; `pending_until` is when the first of it is old enough.
        frozen: what paid for it is being charged back.
        granted: nobody paid for it; it becomes credits and is never paid out.
        own_work: what their organization paid to them.
    """

    asset: str
    agent_id: str | None = None
    available: int = 0
    pending: int = 0
    pending_until: datetime | None = None
    frozen: int = 0
    granted: int = 0
    own_work: int = 0

    @property
    def total(self) -> int:
        return self.available + self.pending + self.frozen + self.granted + self.own_work


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetSummary:
    """What an organization has of one asset, in minor units. The parts add up to `total`, what the books hold.

    Attributes:
        available: can be spent now.
        held: set aside by holds.
        expired: past its expiry, and not booked as expired yet.
        owed: debts, and `invoiced` invoices that are not paid; both count against the total.
    """

    asset: str
    available: int
    held: int
    expired: int
    in_use: int
    in_escrow: int
    in_payments: int
    in_payouts: int
    earnings: Earnings
    owed: int
    invoiced: int

    @classmethod
    def empty(cls, asset: str) -> "AssetSummary":
        """Return what an organization has of an asset without any account of it."""
        return _asset(asset, {}, 0, [], 0)

    @property
    def total(self) -> int:
        """Add up the parts."""
        had = self.available + self.held + self.expired + self.in_use + self.in_escrow
        return had + self.in_payments + self.in_payouts + self.earnings.total - self.owed - self.invoiced


def earnings_by_agent(
    standings: Iterable[FamilyBalance], shares: Iterable[EarningsShare], now: datetime
) -> list[Earnings]:
    """Return what each agent has of each asset, by agent and asset; `shares` say what of its earnings can leave."""
    found: dict[tuple[str, str], dict[str, int]] = {}
    until: dict[tuple[str, str], datetime] = {}
    for each in standings:
        part = part_of(each.path)
        if each.agent_id is not None and part in {SummaryPart.GRANTED_EARNINGS, SummaryPart.OWN_WORK}:
            amounts = found.setdefault((each.agent_id, each.asset), {})
            name = "granted" if part is SummaryPart.GRANTED_EARNINGS else "own_work"
            amounts[name] = amounts.get(name, 0) + each.posted_minor - each.held_minor
    for share in shares:
        key = (share.agent_id, share.asset)
        amounts = found.setdefault(key, {})
        amounts[share.state.value] = amounts.get(share.state.value, 0) + share.amount_minor
        if share.state is PayableState.PENDING and share.first_in is not None:
            until[key] = min(until.get(key, now + share.first_in), now + share.first_in)
    return [
        Earnings(agent_id=agent_id, asset=asset, pending_until=until.get((agent_id, asset)), **amounts)
        for (agent_id, asset), amounts in sorted(found.items())
        if any(amounts.values())
    ]


def asset_summaries(
    standings: Iterable[FamilyBalance], earned: Iterable[Earnings], expired_minor: int
) -> list[AssetSummary]:
    """Add the accounts up by asset and part, in the order of assets.

    Args:
        standings: all of the organization's, each family and agent once.
        earned: what `earnings_by_agent` made of them.
        expired_minor: credits in the wallet that have ended.
    """
    parts: dict[str, dict[SummaryPart, int]] = {}
    held: dict[str, int] = {}
    for each in standings:
        free = each.posted_minor - each.held_minor
        of_asset = parts.setdefault(each.asset, {})
        part = part_of(each.path)
        of_asset[part] = of_asset.get(part, 0) + free
        held[each.asset] = held.get(each.asset, 0) + each.held_minor
    by_asset: dict[str, list[Earnings]] = {}
    for one in earned:
        by_asset.setdefault(one.asset, []).append(one)
    return [
        _asset(asset, of_asset, held[asset], by_asset.get(asset, []), expired_minor)
        for asset, of_asset in sorted(parts.items())
    ]


def _asset(
    asset: str, parts: dict[SummaryPart, int], held: int, earned: list[Earnings], expired_minor: int
) -> AssetSummary:
    expired = expired_minor if asset == CREDIT else 0
    together = Earnings(
        asset=asset,
        available=sum(one.available for one in earned),
        pending=sum(one.pending for one in earned),
        pending_until=min((one.pending_until for one in earned if one.pending_until is not None), default=None),
        frozen=sum(one.frozen for one in earned),
        granted=sum(one.granted for one in earned),
        own_work=sum(one.own_work for one in earned),
    )
    return AssetSummary(
        asset=asset,
        available=parts.get(SummaryPart.WALLET, 0) - expired,
        held=held,
        expired=expired,
        in_use=parts.get(SummaryPart.IN_USE, 0),
        in_escrow=parts.get(SummaryPart.IN_ESCROW, 0),
        in_payments=parts.get(SummaryPart.IN_PAYMENTS, 0),
        in_payouts=parts.get(SummaryPart.IN_PAYOUTS, 0),
        earnings=together,
        owed=-parts.get(SummaryPart.OWED, 0),
        invoiced=-parts.get(SummaryPart.INVOICED, 0),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RemainingBalance:
    """Money that an organization still has or owes, in minor units of the asset; `kind` is a part of its summary."""

    kind: str
    asset: str
    amount_minor: int


def remaining_balances(standings: Iterable[FamilyBalance]) -> list[RemainingBalance]:
    """Return an organization's balances by kind and asset; debts are negative.

    Unused slots do not count: they end with the organization.
    """
    sums: dict[tuple[SummaryPart, str], int] = {}
    for each in standings:
        part = part_of(each.path)
        if (part, each.asset) != (SummaryPart.WALLET, SLOT):
            sums[part, each.asset] = sums.get((part, each.asset), 0) + each.posted_minor
    return [
        RemainingBalance(kind=part.value, asset=asset, amount_minor=amount)
        for (part, asset), amount in sorted(sums.items())
        if amount
    ]
