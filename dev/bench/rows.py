"""A row of the table: what was measured, against what, and what it must reach."""

import statistics
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchRow:
    """A figure and its baseline from the same run; `target` is the least ratio, or the greatest value of `unit`."""

    name: str
    value: float
    unit: str
    against: str = ""
    baseline: float | None = None
    target: float | None = None
    at_most: bool = False
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Return how many times the baseline the value is."""
        return self.value / self.baseline if self.baseline else None

    @property
    def reached(self) -> bool | None:
        """Return whether the target was reached; None when there is none."""
        if self.target is None:
            return None
        measured = self.value if self.ratio is None else self.ratio
        return measured <= self.target if self.at_most else measured >= self.target


async def alternate(
    first: Callable[[], Awaitable[float]], second: Callable[[], Awaitable[float]], rounds: int
) -> tuple[float, float]:
    """Measure two things in turn, so that a noisy neighbour meets both, and return their medians.

    The median is taken of the rounds' ratios, and the first figure is scaled so that the two returned have that ratio.
    """
    pairs = []
    for number in range(rounds):
        if number % 2:
            b = await second()
            a = await first()
        else:
            a = await first()
            b = await second()
        pairs.append((a, b))
    baseline = statistics.median(b for _, b in pairs)
    return baseline * statistics.median(a / b for a, b in pairs), baseline
