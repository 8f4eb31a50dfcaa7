"""Response times as a histogram of fixed buckets: it adds up in any order, and never grows."""

from dataclasses import dataclass

#: 2^(0/4), 2^(1/4), 2^(2/4), 2^(3/4) in thousandths, rounded up: four buckets to a doubling, so a percentile is at most
#: 19 % above the true value, and never below it.
_STEPS = (1_000, 1_190, 1_415, 1_682)
#: Upper bounds of the buckets in ms, from 1 ms to 12 days; what is longer counts in the last.
BOUNDS_MS: tuple[int, ...] = tuple(
    sorted({-(-(2**power) * step // 1_000) for power in range(30) for step in _STEPS} | {2**30})
)


@dataclass(frozen=True, slots=True)
class Timing:
    """Response times of an agent: a row.

    Attributes:
        count: how many there are.
        total_ms: their sum.
        buckets: how many fall into each bucket of `BOUNDS_MS`.
    """

    count: int = 0
    total_ms: int = 0
    buckets: tuple[int, ...] = (0,) * len(BOUNDS_MS)


def bucket_of(response_ms: int) -> int:
    """Return the index of the bucket of a response time."""
    low, high = 0, len(BOUNDS_MS) - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if response_ms <= BOUNDS_MS[middle] else (middle + 1, high)
    return low


def add_response(timing: Timing, response_ms: int) -> Timing:
    """Add one response time, zero or more: what `reputation_apply` does to an agent's row."""
    found = bucket_of(response_ms)
    buckets = tuple(count + (index == found) for index, count in enumerate(timing.buckets))
    return Timing(timing.count + 1, timing.total_ms + response_ms, buckets)


def average_ms(timing: Timing) -> int:
    """Return the average, rounded to whole ms; 0 without any."""
    return (2 * timing.total_ms + timing.count) // (2 * timing.count) if timing.count else 0


def percentile_ms(timing: Timing, percent: int = 95) -> int:
    """Return the upper bound of the bucket in which the percentile lies; 0 without any."""
    wanted = -(-timing.count * percent // 100)
    below = 0
    for bound, count in zip(BOUNDS_MS, timing.buckets, strict=True):
        below += count
        if count and below >= wanted:
            return bound
    return 0
