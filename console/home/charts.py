"""The charts of home: what was left at the end of each day, and what was spent on which service."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from console.charts import OTHER, Chart, Series, Unit, folded, line, stacked
from console.format import Prefs, short_day
from console.gateway import Answer

#: What the API calls the rest.
_REST = "others"
#: How many days the charts show, with today; see `first_day`.
DAYS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Months:
    """What was spent this month up to and with today, and last month from `since` up to and with `until`."""

    this: Decimal
    last: Decimal
    since: date
    until: date


def first_day(today: date) -> date:
    """Return where the series of what was spent begins: with last month, and no later than the charts."""
    last = (today.replace(day=1) - timedelta(days=1)).replace(day=1)
    return min(last, today - timedelta(days=DAYS - 1))


def by_month(answer: Answer) -> Months | None:
    """Return what was spent this month and in the same days of the last; None if that is not known.

    The last month counts up to the same day of the month, or its own last day. Days are those of the series.
    """
    days = [date.fromisoformat(at[:10]) for at in answer.body["times"]] if answer.ok else []
    if not days:
        return None
    today = days[-1]
    before = today.replace(day=1) - timedelta(days=1)
    since, until = before.replace(day=1), before.replace(day=min(before.day, today.day))
    this = last = Decimal(0)
    for group in answer.body["series"]:
        for day, value in zip(days, group["values"], strict=True):
            this += Decimal(value or 0) if day >= today.replace(day=1) else 0
            last += Decimal(value or 0) if since <= day <= until else 0
    return Months(this=this, last=last, since=since, until=until)


def balance_of(answer: Answer, prefs: Prefs) -> Chart | None:
    """Return the balance of `GET /series`; None if there is nothing to draw."""
    series = _series(answer, "Balance")
    if not series:
        return None
    body = answer.body
    return line("Balance, 30 days", _labels(body, prefs), series, Unit(body["currency"], prefs))


def spending_of(answer: Answer, prefs: Prefs) -> Chart | None:
    """Return the spending by service of the last days of the series; None if nothing was spent in them."""
    recent = (replace(one, values=one.values[-DAYS:]) for one in _series(answer, "Other services"))
    # The rest comes last, so that what is folded joins it: two series of it could not be told apart.
    series = sorted((one for one in recent if any(one.values)), key=lambda one: one.label == OTHER)
    if not series:
        return None
    body = answer.body
    labels = _labels(body, prefs)[-DAYS:]
    return stacked("Spending by service, 30 days", labels, folded(series), Unit(body["currency"], prefs))


def _series(answer: Answer, unnamed: str) -> tuple[Series, ...]:
    return tuple(
        Series(
            label=OTHER if group["group"] == _REST else group["group"] or unnamed,
            values=tuple(None if value is None else Decimal(value) for value in group["values"]),
        )
        for group in (answer.body["series"] if answer.ok else ())
    )


def _labels(body: Mapping[str, Any], prefs: Prefs) -> list[str]:
    # Days are those of the series' own zone, which need not be the reader's.
    own = Prefs(locale=prefs.locale, zone=body["zone"])
    return [short_day(at, own) for at in body["times"]]
