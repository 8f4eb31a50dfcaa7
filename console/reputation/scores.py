"""Scores of an agent, drawn. They are 0 to 10, with the interval in which they lie nine times out of ten."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from console.charts import Chart, Meter, Series, Unit, line, meter
from console.filters import rounded
from console.format import MINUS, Prefs, number, short_day
from console.reader import reader
from console.texts import N_, _, gettext

DIMENSIONS = {
    "task_success": N_("Work accepted"),
    "response_time": N_("Answers in time"),
    "reliability": N_("Reliability"),
    "collaboration": N_("Collaboration"),
    "quality": N_("Quality"),
}
_BEST = Decimal(10)


def exact(value: float) -> Decimal:
    return Decimal(str(value))


def points(value: float, _prefs: Prefs | None = None) -> str:
    """Write a score with its two decimals, so that those below each other compare."""
    return rounded(value)


def signed(change: float) -> str:
    """Write a change of a score with its sign."""
    value = exact(change)
    mark = MINUS if value < 0 else "+" if value > 0 else ""
    return mark + number(f"{value.copy_abs():f}", reader().prefs)


def bars(dimensions: Mapping[str, Any]) -> tuple[Meter, ...]:
    """Return a bar for each dimension; a full one is good, which a full limit is not."""
    known = [(gettext(label), dimensions[name]["score"]) for name, label in DIMENSIONS.items() if name in dimensions]
    drawn = (meter(label, exact(of), _BEST, _("%(score)s of 10", score=rounded(of))) for label, of in known)
    return tuple(replace(each, tone="c1") for each in drawn)


def by_dimension(nights: Sequence[Mapping[str, Any]]) -> Chart | None:
    """Draw the scores by dimension and day; None without a night."""
    rows, days = _by_day(nights)
    if not rows:
        return None
    series = tuple(
        Series(label=gettext(label), values=tuple(exact(each["dimensions"][name]) for each in rows))
        for name, label in DIMENSIONS.items()
    )
    drawn = line(_("Scores by dimension and day"), days, series, Unit(prefs=reader().prefs))
    # A sentence for each of five lines would hide the picture; the table below it has every value.
    said = _("Scores of 0 to 10 by dimension, from %(first)s to %(last)s.", first=days[0], last=days[-1])
    return replace(drawn, sentence=said)


def by_day(nights: Sequence[Mapping[str, Any]]) -> Chart | None:
    """Draw the score by day, oldest first, with its interval; None without a night."""
    rows, days = _by_day(nights)
    values, low, high = (tuple(exact(each[part]) for each in rows) for part in ("score", "low", "high"))
    series = Series(label=_("Score"), values=values, low=low, high=high)
    return line(_("Score by day"), days, (series,), Unit(prefs=reader().prefs)) if rows else None


def _by_day(nights: Sequence[Mapping[str, Any]]) -> tuple[list[Mapping[str, Any]], list[str]]:
    rows = sorted(nights, key=lambda each: str(each["day"]))
    return rows, [short_day(each["day"], reader().prefs) for each in rows]
