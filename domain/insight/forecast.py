"""Forecasts of evenly spaced figures, each with the error that its method had on the same series. Pure.

Several plain methods forecast the last stretches of the series from what came before each; the one with the least mean
error is used. Its errors there give the intervals, so they hold as often as they held before, not as a model says.
Figures are floats in here, because a forecast is no money; who uses them rounds them to whole units.

The methods are those of Hyndman and Athanasopoulos, "Forecasting: Principles and Practice", and of Assimakopoulos and
Nikolopoulos, "The theta model" (2000); the error is the mean absolute scaled error of Hyndman and Koehler (2006).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from statistics import fmean, median

from domain.common.errors import ForecastTooShort

#: The parts of what comes, in percent, that the intervals are to hold.
LEVELS = (50, 80, 95)
#: The same, of what the steps add up to, where there is one interval.
SUM_LEVEL = 90
#: From how many earlier moments the series is forecast again, and the fewest that say something.
ORIGINS, FEWEST_ORIGINS = 14, 4
#: How many seasons a method looks back at most, and how many of them a mean is of.
_BACK, _MEAN_OF = 14, 7
#: The seasons that must have been seen before the first forecast.
_SEEN = 2
#: By how much a trend is damped at each step.
_DAMPING = 0.9

Series = Sequence[float]


class ForecastMetric(StrEnum):
    """What can be forecast, by day: a metric of that name, and for the balance the spending."""

    SPENDING = "spending"
    REVENUE = "revenue"
    REPUTATION = "reputation.score"
    BALANCE = "balance"


class Method(StrEnum):
    """How a forecast is made."""

    #: The last season again.
    SEASONAL_NAIVE = "seasonal_naive"
    #: The mean shape of the last seasons, at the level of the last one.
    SEASONAL_MEAN = "seasonal_mean"
    #: Half of the linear trend, from an exponentially smoothed level, by the seasonal indices.
    THETA = "theta"
    #: An exponentially smoothed level and trend, which fades, by the seasonal indices.
    DAMPED_TREND = "damped_trend"
    #: The median of the four.
    MEDIAN = "median"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtest:
    """How the method did when it forecast the last stretches of the series.

    Attributes:
        origins: how many stretches.
        mase: the mean absolute error, in those of repeating the last season; 0 where there was no error.
        coverage: the part of what came that lay in the 80 % interval, made from the other stretches' errors.
    """

    origins: int
    mase: float
    coverage: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """A forecast.

    Attributes:
        season: the length of the season of the method, in steps.
        values: of each step ahead.
        errors: of the method at each origin and step: what came, less what was forecast.
        near: how many steps to either side have errors like those of a step.
        span: how many steps lie between the first and the last origin.
    """

    method: Method
    season: int
    values: tuple[float, ...]
    errors: tuple[tuple[float, ...], ...]
    near: int
    span: int
    backtest: Backtest

    def half_widths(self, level: int) -> tuple[float, ...]:
        """Return how far the interval of `level` percent reaches to either side at each step, never less at a later."""
        return tuple(_reaches([[*map(abs, of)] for of in self.errors], level, self.near))

    def half_widths_of_sum(self, level: int) -> tuple[float, ...]:
        """Return the same for what the steps add up to, each with those before it.

        Stretches that overlap err alike: the more they do, the less they say of the next one, and the wider it is.
        """
        reaches = _reaches([[*map(abs, accumulate(of))] for of in self.errors], level, self.near)
        return tuple(each * (1 + at / (at + self.span)) for at, each in enumerate(reaches, 1))


def figures_needed(steps: int, season: int) -> int:
    """Return how many figures a forecast of `steps` needs."""
    return _SEEN * season + steps + FEWEST_ORIGINS - 1


def figures_used(steps: int, season: int) -> int:
    """Return how many figures of a series a forecast of `steps` looks at."""
    return (_BACK + ORIGINS) * season + steps


def forecast(series: Series, *, steps: int, season: int, longer: int | None = None, unit: str = "hours") -> Forecast:
    """Forecast a series.

    Args:
        series: the figures, in order and without a gap.
        steps: how many to forecast.
        season: the length of the season, in steps, such as 24 for hours.
        longer: of a second one, such as 168, used where the series is long enough.
        unit: the steps, in words.

    Raises:
        Invalid: `forecast.too_short`; `figures_needed` and `available` are numbers of figures.
    """
    least = figures_needed(steps, season)
    if len(series) < least:
        raise ForecastTooShort(
            f"A forecast of {steps} {unit} needs {least} {unit} with figures, and there are {len(series)}. "
            f"Ask again in {least - len(series)} {unit}, or for fewer {unit}.",
            extra={"needed": least, "available": len(series)},
        )
    series = series[-(_BACK * max(season, longer or 0) + ORIGINS * season + steps) :]
    last = len(series) - steps
    apart = min(season, max(1, (last - _SEEN * season) // (ORIGINS - 1)))
    origins = range(last, max(_SEEN * season, last - ORIGINS * apart + 1) - 1, -apart)
    seasons = [season] if longer is None or origins[-1] < _SEEN * longer else [season, longer]
    errors: dict[tuple[Method, int], list[list[float]]] = {}
    for origin in origins:
        came = series[origin : origin + steps]
        for made, values in _made(series[:origin], steps, seasons):
            errors.setdefault(made, []).append([a - b for a, b in zip(came, values, strict=True)])
    means = {made: fmean(abs(error) for each in of for error in each) for made, of in errors.items()}
    # Seasonal naive is the first, and stays where none beats it.
    best = min(means, key=means.__getitem__)
    scale = fmean(abs(a - b) for a, b in zip(series[season:], series, strict=False))
    found = errors[best]
    return Forecast(
        method=best[0],
        season=best[1],
        values=tuple(dict(_made(series, steps, seasons))[best]),
        errors=tuple(map(tuple, found)),
        near=season // 2,
        span=origins[0] - origins[-1],
        backtest=Backtest(
            origins=len(found), mase=means[best] / scale if scale else 0.0, coverage=_coverage(found, season // 2)
        ),
    )


def _made(series: Series, steps: int, seasons: Sequence[int]) -> Iterator[tuple[tuple[Method, int], list[float]]]:
    for season in seasons:
        recent = series[-_BACK * season :]
        indices, plain, join = _seasonal(recent, season)
        by = {
            Method.SEASONAL_NAIVE: [series[-season + at % season] for at in range(steps)],
            Method.SEASONAL_MEAN: _seasonal_mean(recent, season, steps),
            Method.THETA: [join(v, indices[at % season]) for at, v in enumerate(_theta(plain, steps))],
            Method.DAMPED_TREND: [join(v, indices[at % season]) for at, v in enumerate(_damped(plain, steps))],
        }
        by[Method.MEDIAN] = [median(four) for four in zip(*by.values(), strict=True)]
        for method, values in by.items():
            yield (method, season), values


def _seasonal_mean(series: Series, season: int, steps: int) -> list[float]:
    of = min(_MEAN_OF, len(series) // season)
    seasons = [series[len(series) - (n + 1) * season : len(series) - n * season] for n in range(of)]
    rise = fmean(seasons[0]) - fmean(map(fmean, seasons))
    shape = [fmean(each) + rise for each in zip(*seasons, strict=True)]
    return [shape[at % season] for at in range(steps)]


def _seasonal(series: Series, season: int) -> tuple[list[float], list[float], Callable[[float, float], float]]:
    """Return the seasonal indices from the next step on, the series without them, and how to put one back.

    Each figure against the mean of the season around it: as a factor where all are above zero, else as a difference.
    """
    factors = min(series) > 0
    sums, half = [0.0, *accumulate(series)], season // 2
    by_place: list[list[float]] = [[] for _ in range(season)]
    for at in range(half, len(series) - half):
        whole = sums[at + half + 1] - sums[at - half]
        mean = (whole if season % 2 else whole - (series[at - half] + series[at + half]) / 2) / season
        by_place[(at - len(series)) % season].append(series[at] / mean if factors else series[at] - mean)
    indices = [fmean(place) for place in by_place]
    middle = fmean(indices)
    places = [(at - len(series)) % season for at in range(len(series))]
    if factors:
        indices = [index / middle for index in indices]
        return indices, [v / indices[place] for v, place in zip(series, places, strict=True)], lambda a, b: a * b
    indices = [index - middle for index in indices]
    return indices, [v - indices[place] for v, place in zip(series, places, strict=True)], lambda a, b: a + b


def _theta(series: Series, steps: int) -> list[float]:
    found: list[tuple[float, float, float]] = []
    for weight in (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9):
        level, error = series[0], 0.0
        for value in series:
            gap = value - level
            error += gap * gap
            level += weight * gap
        found.append((error, level, weight))
    _, level, weight = min(found)
    count, middle = len(series), (len(series) - 1) / 2
    slope = sum((at - middle) * v for at, v in enumerate(series)) * 12 / (count * (count * count - 1))
    lag = (1 - (1 - weight) ** count) / weight
    return [level + slope / 2 * (at + lag) for at in range(steps)]


def _damped(series: Series, steps: int) -> list[float]:
    found: list[tuple[float, float, float]] = []
    for weight in (0.05, 0.1, 0.2, 0.4, 0.7):
        for of_trend in (0.02, 0.1, 0.3):
            level, trend, error = series[0], 0.0, 0.0
            for value in series:
                ahead = level + _DAMPING * trend
                gap = value - ahead
                error += gap * gap
                level = ahead + weight * gap
                trend = _DAMPING * trend + weight * of_trend * gap
            found.append((error, level, trend))
    _, level, trend = min(found)
    return [level + trend * rise for rise in accumulate(_DAMPING**at for at in range(1, steps + 1))]


def _reaches(errors: Sequence[Series], level: int, near: int) -> Iterator[float]:
    """Return, for each step, what `level` percent of the errors at most `near` steps from it do not exceed.

    The place in their order is that of conformal prediction, which counts the error to come as one more. A later step
    never reaches less far.
    """
    reach = 0.0
    for at in range(len(errors[0])):
        found = sorted(error for of in errors for error in of[max(0, at - near) : at + near + 1])
        reach = max(reach, found[min(len(found), -(-(len(found) + 1) * level // 100)) - 1])
        yield reach


def _coverage(errors: Sequence[Series], near: int) -> float:
    sizes = [[*map(abs, of)] for of in errors]
    held = [
        error <= reach
        for number, of in enumerate(sizes)
        for error, reach in zip(of, _reaches([*sizes[:number], *sizes[number + 1 :]], 80, near), strict=True)
    ]
    return sum(held) / len(held)
