"""Independent count of spending under budgets, from their terms and the API's answers instead of the ledger."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from math import ceil, floor
from uuid import UUID

from domain.common.calendar import Window
from domain.common.credits import CreditPrice
from domain.common.money import CREDIT, SCALES
from domain.credits.spend.rate import ExchangeRate
from ledger.spends import Pool

#: A pool of one window: the budget, the window, the hour of an hourly one, and the pool.
Slot = tuple[UUID, Window, datetime | None, Pool]


def slot_of(control_id: UUID, window: Window, at: datetime, pool: Pool) -> Slot:
    """Return the pool of a window at a time of the day."""
    hour = at.replace(minute=0, second=0, microsecond=0) if window is Window.HOUR else None
    return control_id, window, hour, pool


class Worth:
    """Exact values of amounts in other assets."""

    def __init__(self, price: CreditPrice, rates: Sequence[ExchangeRate]) -> None:
        """Take the price of a credit, and the rates from its currency; the last that has begun holds."""
        self._price, self._rates = price, sorted(rates, key=lambda rate: rate.starts_at)

    def counts(self, amount: int, asset: str, into: str, at: datetime, gone: int) -> int:
        """Convert an amount to another asset, rounded up against the spender.

        Credits come from one lot, partly used: its parts are rounded together.
        """
        if asset == into:
            return amount
        of, before = self._of(asset, into, at), gone if asset == CREDIT else 0
        return ceil((before + amount) * of) - ceil(before * of)

    def most(self, room: int, of: str, asset: str, at: datetime) -> int:
        """Return the most of an asset that counts no more than a room in another one."""
        return room if asset == of else floor(room / self._of(asset, of, at))

    def _of(self, asset: str, into: str, at: datetime) -> Fraction:
        return self._unit(asset, at) / self._unit(into, at)

    def _unit(self, asset: str, at: datetime) -> Fraction:
        """Return what a minor unit is worth in the currency that credits are sold for."""
        scale: int = 10 ** SCALES[asset]
        if asset == CREDIT:
            return Fraction(self._price.price) / scale
        if asset == self._price.currency:
            return Fraction(1, scale)
        rate = [each for each in self._rates if each.quote == asset and each.starts_at <= at][-1]
        return 1 / (rate.rate * scale)


@dataclass(kw_only=True, eq=False)
class Budget:
    """A budget as it was stated; amounts in minor units of its asset."""

    control_id: UUID
    asset: str
    limits: dict[Window, int]
    per_spend: int | None = None
    pools_of: Window | None = None
    reserve: int = 0
    emergency: int = 0
    allowance: int | None = None
    emergency_until: datetime | None = None

    def opens(self, pool: Pool, at: datetime) -> bool:
        """Return whether it has such a pool, and for an emergency whether there is one."""
        if pool is Pool.RESERVE:
            return self.reserve > 0
        return self.emergency > 0 and self.emergency_until is not None and at < self.emergency_until

    def room(self, slot: Slot) -> int:
        """Return what is in a pool of a window."""
        _, window, _, pool = slot
        if pool is Pool.ALLOWANCE:
            return self.allowance or 0
        if pool is not Pool.OPERATING:
            return self.reserve if pool is Pool.RESERVE else self.emergency
        return self.limits[window] - (self.reserve + self.emergency if window is self.pools_of else 0)

    def rooms(self, pool: Pool, at: datetime, *, draws: bool, granted: bool) -> list[tuple[Slot, int]]:
        """Return in which pools of which windows a spend counts, and what is in each."""
        drawn = {window: pool if window is self.pools_of and draws else Pool.OPERATING for window in self.limits}
        counts_in = list(drawn.items())
        if self.pools_of is not None and pool is Pool.RESERVE and not granted and self.allowance is not None:
            counts_in.append((self.pools_of, Pool.ALLOWANCE))
        slots = [slot_of(self.control_id, window, at, of) for window, of in counts_in]
        return [(slot, self.room(slot)) for slot in slots]


@dataclass(frozen=True, kw_only=True)
class SpendRequest:
    """A requested spend; its chain of budgets starts with the nearest."""

    chain: Sequence[Budget]
    amount: int
    asset: str
    at: datetime
    pool: Pool = Pool.OPERATING
    or_reserve: bool = False
    granted: bool = False


@dataclass(frozen=True, kw_only=True)
class ExpectedAnswer:
    """Expected answer: accepted or not, the pool, and the amount counted in each budget. No pool if closed."""

    fits: bool
    pool: Pool | None
    counted: Sequence[tuple[Slot, int]] = ()


@dataclass
class Count:
    """The use of every pool of every window of a day, and of the lot of credits that pays."""

    worth: Worth
    gone: int = 0
    used: Counter[Slot] = field(default_factory=Counter)

    def judge(self, asked: SpendRequest, *, holds: bool = False) -> ExpectedAnswer:
        """Say what must be answered now; counts nothing. Each hold is rounded by itself."""
        gone = 0 if holds else self.gone
        judged = self._judge(asked, asked.pool, gone)
        if not judged.fits and asked.or_reserve and asked.pool is Pool.OPERATING:
            other = self._judge(asked, Pool.RESERVE, gone)
            judged = other if other.fits else judged
        return judged

    def _judge(self, asked: SpendRequest, pool: Pool, gone: int) -> ExpectedAnswer:
        drawn = None
        if pool is not Pool.OPERATING:
            drawn = next((each for each in asked.chain if each.opens(pool, asked.at)), None)
            allowed = asked.granted or any(each.allowance is not None for each in asked.chain)
            if drawn is None or (pool is Pool.RESERVE and not allowed):
                return ExpectedAnswer(fits=False, pool=None)
        fits, counted = True, []
        for budget in asked.chain:
            counts = self.worth.counts(asked.amount, asked.asset, budget.asset, asked.at, gone)
            fits = fits and (budget.per_spend is None or counts <= budget.per_spend)
            for slot, room in budget.rooms(pool, asked.at, draws=budget is drawn, granted=asked.granted):
                fits = fits and self.used[slot] + counts <= room
                counted.append((slot, counts))
        return ExpectedAnswer(fits=fits, pool=pool, counted=counted)

    def take(self, counted: Sequence[tuple[Slot, int]]) -> None:
        """Count what was let through."""
        for slot, counts in counted:
            self.used[slot] += counts

    def settle(self, counted: Sequence[tuple[Slot, int]], amount: int, part: int) -> None:
        """Count of what was held only a part of its amount, rounded up."""
        for slot, counts in counted:
            self.used[slot] += ceil(Fraction(counts * part, amount)) - counts

    def left(self, chain: Sequence[Budget], asset: str, at: datetime) -> int:
        """Return how much of an asset fits into what there is to operate with on the day, whatever the hour."""
        return min(
            self.worth.most(max(0, room - self.used[slot]), budget.asset, asset, at)
            for budget in chain
            for slot, room in budget.rooms(Pool.OPERATING, at, draws=False, granted=False)
            if slot[1] is not Window.HOUR
        )
