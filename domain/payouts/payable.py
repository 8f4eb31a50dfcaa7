"""Which earnings of an agent can be paid out: held back by age and level, frozen by open chargebacks. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from domain.credits.lots import slice_cost
from domain.reputation.levels import Level


class PayableState(StrEnum):
    """Why earnings can be paid out now, or cannot."""

    AVAILABLE = "available"
    PENDING = "pending"  # too young: what paid for them may still be charged back
    FROZEN = "frozen"  # what paid for them is being charged back
    GRANTED = "granted"  # nobody paid for them


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldBack:
    """How long earnings are held back: usually, and at least whatever the level.

    Attributes:
        refunds: how long a buyer can return an agent; earnings from its sale are held back as long, at any level.
        destination: how long payouts wait for a new destination.
        reverses_refunds: whether a payout is reversed at the provider for a refund, as for a chargeback.
    """

    usual: timedelta
    floor: timedelta
    refunds: timedelta = timedelta(0)
    destination: timedelta = timedelta(hours=72)
    reverses_refunds: bool = True

    @classmethod
    def default(cls) -> "HoldBack":
        """Return the default."""
        return cls(usual=timedelta(days=14), floor=timedelta(days=7))

    def of(self, level: Level | None) -> timedelta:
        """Return how long the earnings of an agent at a level are held back."""
        days = None if level is None else level.hold_back_days
        return max(self.floor, self.usual if days is None else timedelta(days=days))

    def window(self, level: Level | None, now: datetime) -> "HoldBackWindow":
        """Return the hold-back of an agent at a level."""
        held = self.of(level)
        return HoldBackWindow(
            cutoff=now - held, liability_period=self.liability_period(level), sales_cutoff=now - max(held, self.refunds)
        )

    def liability_period(self, level: Level | None) -> timedelta:
        """Return how long a creator is liable for earnings; a level's shorter hold-back does not shorten it."""
        return max(self.usual, self.of(level))


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldBackWindow:
    """The hold-back of one agent's earnings.

    Attributes:
        cutoff: earnings up to this time can be paid out.
        liability_period: how long the creator is liable for earnings: the platform bears a chargeback that is opened
        later. sales_cutoff: `cutoff` for sales of the agent.
    """

    cutoff: datetime
    liability_period: timedelta
    sales_cutoff: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EarningsShare:
    """A part of an agent's earnings in one state.

    Attributes:
        asset: credits or a currency.
        amount_minor: in minor units of `asset`.
        currency: of the payout; None for granted credits.
        worth_minor: the price paid for it, less the platform's share, in minor units of `currency`.
        first_in: for pending earnings, how long until the first of them can be paid out.
    """

    agent_id: str
    asset: str
    state: PayableState
    amount_minor: int
    currency: str | None
    worth_minor: int
    first_in: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LotSlice:
    """The free part of a lot of earnings. `cost_minor` of `paid_minor` has left the lot with `gone_minor`."""

    lot_id: UUID
    agent_id: str
    free_minor: int
    lot_minor: int
    gone_minor: int
    paid_minor: int
    costed_minor: int

    def worth(self, part_minor: int) -> int:
        """Return the price paid for a part of the lot."""
        return slice_cost(self.paid_minor, self.costed_minor, self.lot_minor, self.gone_minor + part_minor)

    def part_for(self, worth_minor: int) -> int:
        """Return the smallest part of the lot that an amount was paid for, or everything that is free."""
        if self.worth(self.free_minor) <= worth_minor:
            return self.free_minor
        gone = -(-(self.costed_minor + worth_minor) * self.lot_minor // self.paid_minor)
        return max(0, min(self.free_minor, gone - self.gone_minor))


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenLots:
    """The parts of an agent's lots that are paid out, and the price paid for them."""

    agent_id: str
    amount_minor: int
    worth_minor: int
    slices: tuple[tuple[UUID, int], ...]


def take_slices(slices: Iterable[LotSlice], worth_minor: int) -> list[TakenLots]:
    """Choose slices in their order up to a total value: all of a lot before the next one.

    The sum may stay below the total, if a minor unit of a lot's credits is worth more than the rest.
    """
    chosen: dict[str, list[tuple[UUID, int, int]]] = {}
    left = worth_minor
    for each in slices:
        if left <= 0:
            break
        part = each.part_for(left)
        worth = each.worth(part)
        if part and 0 < worth <= left:
            chosen.setdefault(each.agent_id, []).append((each.lot_id, part, worth))
            left -= worth
    return [
        TakenLots(
            agent_id=agent_id,
            amount_minor=sum(part for _, part, _ in parts),
            worth_minor=sum(worth for _, _, worth in parts),
            slices=tuple((lot_id, part) for lot_id, part, _ in parts),
        )
        for agent_id, parts in chosen.items()
    ]


def available_by_currency(shares: Sequence[EarningsShare]) -> dict[str, int]:
    """Sum the earnings that can be paid out now, by currency."""
    found: dict[str, int] = {}
    for share in shares:
        if share.state is PayableState.AVAILABLE and share.currency is not None and share.worth_minor:
            found[share.currency] = found.get(share.currency, 0) + share.worth_minor
    return found
