"""Whether the latest hours of a figure are unusually high for their hours of the week. Pure.

Each hour is compared, as a logarithm, with the median of the same hour in the weeks before, in units of how much that
hour varies (median absolute deviation). The mean over the latest three hours is unusual if it is four robust deviations
above those of the series itself. So a series is measured by its own noise, and one odd hour is not enough.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import log
from statistics import fmean, median

#: The weeks that an hour is compared with, and the fewest that say something.
WEEKS, MIN_WEEKS = 8, 4
WEEK_HOURS = 168
#: The hours that are smoothed over.
SMOOTHED_HOURS = 3
#: How many hourly figures are kept.
MAX_HOURS = WEEKS * WEEK_HOURS + SMOOTHED_HOURS
HOUR = timedelta(hours=1)
#: How many hours are read at once while the past is still to be read.
MAX_HOURS_READ = 48
_DEVIATIONS = 4
#: The standard deviation of a normal distribution, in median absolute deviations, and its 99th percentile.
_OF_MAD, _OF_99TH = 1.4826, 2.326
#: The least noise that is assumed, as a logarithm and of the smoothed series: so a steady figure is unusual from half
#: as much again on.
_LEAST_NOISE, _LEAST_SMOOTHED = 0.2, 0.5
#: A series with figures in fewer hours than one in so many has nothing usual.
_ONE_IN = 8
#: What is added to each figure before its logarithm, as a part of the median of those above zero.
_ADDED = 0.1


@dataclass(frozen=True, slots=True)
class HourlyFigures:
    """The figures of consecutive hours; the last one ends at `until`."""

    until: datetime
    figures: tuple[int, ...]

    def is_behind(self, now: datetime) -> bool:
        """Return whether hours that are over are still to be read."""
        return self.until < _full(now)


def hours_to_read(kept: HourlyFigures | None, now: datetime) -> list[datetime]:
    """Return the ends of the hours to read next, oldest first, up to `MAX_HOURS_READ`.

    The latest ones are read again, because some things are recorded late; older ones are not, whatever they become.
    """
    last = _full(now)
    first = last - (MAX_HOURS - 1) * HOUR
    if kept is not None:
        first = max(first, kept.until - (SMOOTHED_HOURS - 1) * HOUR)
    return [first + hour * HOUR for hour in range(min(MAX_HOURS_READ, (last - first) // HOUR + 1))]


def merge_hours(kept: HourlyFigures | None, ends: Sequence[datetime], figures: Sequence[int]) -> HourlyFigures:
    """Return the kept hours with those that were read, without the ones that are too old."""
    before: tuple[int, ...] = ()
    if kept is not None and kept.until >= ends[0] - HOUR:
        before = kept.figures[: max(0, len(kept.figures) - 1 - (kept.until - ends[0]) // HOUR)]
    return HourlyFigures(ends[-1], (*before, *figures)[-MAX_HOURS:])


def _full(now: datetime) -> datetime:
    return now.replace(minute=0, second=0, microsecond=0)


def is_unusual(figures: Sequence[int]) -> bool | None:
    """Return whether the latest hours are unusually high; None where it cannot be said.

    That is so while there are less than four weeks to compare with, and where most hours have nothing.

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
