"""An axis: even ticks at 1, 2, 2.5 or 5 times a power of ten, which cover all values. Exact, in `Decimal`."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal, localcontext

_STEPS = tuple(Decimal(step) for step in ("1", "2", "2.5", "5", "10"))
#: Enough that no sum, difference or quotient of amounts loses a digit that is drawn.
EXACT = Context(prec=120)


@dataclass(frozen=True, slots=True)
class Scale:
    ticks: tuple[Decimal, ...]

    @property
    def low(self) -> Decimal:
        return self.ticks[0]

    @property
    def high(self) -> Decimal:
        return self.ticks[-1]

    @property
    def has_zero(self) -> bool:
        return self.low <= 0 <= self.high

    def at(self, value: Decimal, length: int = 1000) -> Decimal:
        """Return how far from the first tick a value is, to a tenth of a unit of the drawing."""
        with localcontext(EXACT):
            return ((value - self.low) * length / (self.high - self.low)).quantize(Decimal("0.1"))


def scale(values: Iterable[Decimal], *, steps: int = 4, zero: bool = False, whole: bool = False) -> Scale:
    """Return an axis for values, of which there may be none."""
    with localcontext(EXACT):
        given = list(values) or [Decimal(0)]
        low, high = min(given), max(given)
        if zero or low == high or not _far(low, high):
            low, high = min(low, Decimal(0)), max(high, Decimal(0))
        if low == high:
            high = Decimal(1)
        step = _step((high - low) / steps)
        if whole:
            step = max(step.to_integral_value(ROUND_CEILING), Decimal(1))
        first = (low / step).to_integral_value(ROUND_FLOOR)
        last = (high / step).to_integral_value(ROUND_CEILING)
        return Scale(tuple((first + number) * step for number in range(int(last - first) + 1)))


def _far(low: Decimal, high: Decimal) -> bool:
    """Return whether values are so far from zero that an axis from zero would draw them as one line."""
    nearest = min(abs(low), abs(high))
    return low * high > 0 and (high - low) * 4 < nearest


def _step(least: Decimal) -> Decimal:
    power = Decimal(1).scaleb(least.adjusted())
    return next(step * power for step in _STEPS if step * power >= least)
