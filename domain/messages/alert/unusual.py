"""Detection of unusually high hours of a series, by hour of the week. Pure.

The logarithm of each hour is compared with the median of the same hour in the weeks before, in median absolute
deviations. The mean of the latest three hours is unusual if it is four robust deviations above that of the series. So a
series is measured by its own noise, and one odd hour is not enough.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import log
from statistics import fmean, median

#: How many weeks an hour is compared with, at most and at least.
WEEKS, MIN_WEEKS = 8, 4
WEEK_HOURS = 168
#: The hours that are smoothed over.
SMOOTHED_HOURS = 3
#: How many hourly figures are kept.
MAX_HOURS = WEEKS * WEEK_HOURS + SMOOTHED_HOURS
HOUR = timedelta(hours=1)
#: How many hours are read at once until the past is complete.
MAX_HOURS_READ = 48
_DEVIATIONS = 4
#: The standard deviation of a normal distribution, in median absolute deviations, and its 99th percentile.
_OF_MAD, _OF_99TH = 1.4826, 2.326
#: The minimum noise, of the logarithm and of the smoothed series: a steady value is unusual from 1.5 times on.
_LEAST_NOISE, _LEAST_SMOOTHED = 0.2, 0.5
#: A series that has values in fewer than one of this many hours is never unusual.
_ONE_IN = 8
#: Added to each value before its logarithm, as a part of the median of the values above zero.
_ADDED = 0.1


@dataclass(frozen=True, slots=True)
class HourlyFigures:
    """Values of consecutive hours; the last hour ends at `until`."""

    until: datetime
    figures: tuple[int, ...]

    def is_behind(self, now: datetime) -> bool:
        """Return whether past hours are still to be read."""
        return self.until < _full(now)


def hours_to_read(kept: HourlyFigures | None, now: datetime) -> list[datetime]:
    """Return the ends of the hours to read next, oldest first, up to `MAX_HOURS_READ`.

    The latest are read again, because of late records; older ones are not.
    """
    last = _full(now)
    first = last - (MAX_HOURS - 1) * HOUR
    if kept is not None:
        first = max(first, kept.until - (SMOOTHED_HOURS - 1) * HOUR)
    return [first + hour * HOUR for hour in range(min(MAX_HOURS_READ, (last - first) // HOUR + 1))]


def merge_hours(kept: HourlyFigures | None, ends: Sequence[datetime], figures: Sequence[int]) -> HourlyFigures:
    """Merge newly read hours into the kept ones, and drop those that are too old."""
    before: tuple[int, ...] = ()
    if kept is not None and kept.until >= ends[0] - HOUR:
        before = kept.figures[: max(0, len(kept.figures) - 1 - (kept.until - ends[0]) // HOUR)]
    return HourlyFigures(ends[-1], (*before, *figures)[-MAX_HOURS:])


def _full(now: datetime) -> datetime:
    return now.replace(minute=0, second=0, microsecond=0)


def is_unusual(figures: Sequence[int]) -> bool | None:
    """Return whether the latest hours are unusually high; None if there is too little data.

    That is so with less than four weeks to compare with, and for a series with few values.

    Args:
        figures: of each hour, the latest last, up to `MAX_HOURS`. Hours before the first figure above zero do not
        count.
    """
    began = next((at for at, figure in enumerate(figures) if figure > 0), len(figures))
    weeks = min(WEEKS, (len(figures) - began - SMOOTHED_HOURS) // WEEK_HOURS)
    if weeks < MIN_WEEKS:
        return None
    figures = figures[-(weeks * WEEK_HOURS + SMOOTHED_HOURS) :]
    some = [figure for figure in figures if figure > 0]
    if len(some) * _ONE_IN < len(figures):
        return None
    added = max(1, _ADDED * median(some))
    logs = [log(figure + added) for figure in figures]
    hours = [sorted(logs[hour::WEEK_HOURS][:weeks]) for hour in range(WEEK_HOURS)]
    medians = [median(hour) for hour in hours]
    noise = [_OF_MAD * median(abs(each - middle) for each in hour) for hour, middle in zip(hours, medians, strict=True)]
    least = max(_LEAST_NOISE, median(noise))
    # Each hour of the past is compared with the other weeks only, as the latest ones are.
    lower = [median(hour[1:]) for hour in hours]
    upper = [median(hour[:-1]) for hour in hours]
    own = [
        (value - (lower[place] if value <= medians[place] else upper[place])) / max(least, noise[place])
        for value, place in zip(logs, list(range(WEEK_HOURS)) * weeks, strict=False)
    ]
    smoothed = sorted(fmean(own[at : at + SMOOTHED_HOURS]) for at in range(len(own) - SMOOTHED_HOURS + 1))
    middle = median(smoothed)
    deviation = max(
        _OF_MAD * median(abs(each - middle) for each in smoothed),
        (smoothed[len(smoothed) * 99 // 100] - middle) / _OF_99TH,
        _LEAST_SMOOTHED,
    )
    latest = fmean((logs[at - SMOOTHED_HOURS] - medians[at]) / max(least, noise[at]) for at in range(SMOOTHED_HOURS))
    return latest > middle + _DEVIATIONS * deviation
