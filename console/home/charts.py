"""The charts of home: what was left at the end of each day, and what was spent on which service."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from console.charts import Chart, Series, Unit, folded, line, stacked
from console.format import Prefs, short_day
from console.gateway import Answer

#: What a series calls the rest.
_NAMES = {"others": "All others"}


def balance_of(answer: Answer, prefs: Prefs) -> Chart | None:
    """Return the balance of `GET /series`; None where there is nothing to draw."""
    series = _series(answer, "Balance")
    if not series:
        return None
    body = answer.body
    return line("Balance of 30 days", _labels(body, prefs), series, Unit(body["currency"], prefs))


def spending_of(answer: Answer, prefs: Prefs) -> Chart | None:
    """Return the spending by service; None where nothing was spent."""
    series = _series(answer, "Other services")
    if not any(value for one in series for value in one.values):
        return None
    body = answer.body
    return stacked("Spending by service", _labels(body, prefs), folded(series), Unit(body["currency"], prefs))


def _series(answer: Answer, unnamed: str) -> tuple[Series, ...]:
    return tuple(
        Series(
            label=_NAMES.get(group["group"]) or group["group"] or unnamed,
            values=tuple(None if value is None else Decimal(value) for value in group["values"]),
        )
        for group in (answer.body["series"] if answer.ok else ())
    )


def _labels(body: Mapping[str, Any], prefs: Prefs) -> list[str]:
    # Days are those of the series' own zone, which need not be the reader's.
    own = Prefs(locale=prefs.locale, zone=body["zone"])
    return [short_day(at, own) for at in body["times"]]
