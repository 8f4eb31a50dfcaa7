"""Shared parts of the analytics pages: figures with their change, tabs, and the balance with its forecast."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from console.analytics import figures
from console.analytics.figures import Chosen
from console.charts import Chart, Series, Unit, line
from console.format import Amount, amount, day, short_day
from console.gateway import Answer
from console.mentions import Naming
from console.reader import reader
from console.texts import N_, _, gettext
from console.widgets import Tab
from domain.common.money import CREDIT
from domain.insight.query import Compare

#: The interval of a forecast that is drawn as its band, in percent.
_BAND = 80
#: The most days before today of the balance that are drawn.
SHOWN = 89
_TABS = (
    (N_("Spent"), "/analytics"),
    (N_("Earnings"), "/analytics/earnings"),
    (N_("Comparison"), "/analytics/peers"),
    (N_("Reports"), "/reports"),
    (N_("Exports"), "/exports"),
)


#: A label, and for each currency an amount, or another value as text, with a note; none if it could not be read.
Figure = tuple[str, Sequence[tuple[Amount | str, str]]]


def tabs(base: str, here: str) -> tuple[Tab, ...]:
    """Return the pages that stand together; those of the platform have no earnings and no comparison."""
    platform = base == "/console/platform"
    named = [(N_("Overview"), "/analytics"), *_TABS[3:]] if platform else _TABS
    return tuple(Tab(label=gettext(label), href=base + path, current=path == here) for label, path in named)


def agent_name(naming: Naming, none: str = "") -> Callable[[str | None], str]:
    def name(id: str | None) -> str:
        return (none or _("No agent")) if id is None else naming.names.get(id, id)

    return name


def measured(of: Chosen, label: str, answer: Answer, metric: str, *, rate: bool = False) -> Figure:
    """Return a metric of `POST /analytics/query` with its change, for each currency that has one."""
    if not answer.ok:
        return label, ()
    prefs, values = reader().prefs, list[tuple[Amount | str, str]]()
    for code, each in figures.totals(answer, metric).items():
        if code is not None and (each.value or each.before):
            values.append(of_sum(of, each, code))
        elif code is None and each.value is not None:
            unit = Unit("%" if rate else "", prefs)
            shown = figures.Sum(round(each.value, 3), None if each.before is None else round(each.before, 3))
            values.append((unit.write(round(each.value, 3)), before(of, shown, unit)))
    return label, values or ((_("Nothing"), ""),)


def of_sum(of: Chosen, sum: figures.Sum, code: str) -> tuple[Amount, str]:
    """Return an amount with its change."""
    prefs = reader().prefs
    return amount(f"{sum.value or 0:f}", code, prefs), before(of, sum, Unit(code, prefs))


def before(of: Chosen, sum: figures.Sum, unit: Unit) -> str:
    """Say what a figure was in the period that it is compared with, and by how much it has changed."""
    if of.compare is None or sum.before is None:
        return ""
    was, change = unit.write(sum.before), "" if unit.code == "%" else sum.changed(unit.prefs)
    if of.compare == Compare.LAST_YEAR:
        words = _("A year earlier: %(value)s (%(change)s)", value=was, change=change)
        return words if change else _("A year earlier: %(value)s", value=was)
    words = _("Before: %(value)s (%(change)s)", value=was, change=change)
    return words if change else _("Before: %(value)s", value=was)


def ahead_of(of: Chosen) -> int:
    """Return how far ahead a balance is forecast, in days: a longer forecast needs a longer past."""
    return min(max(of.days, 30), SHOWN + 1)


def balance(of: Chosen, today: date, history: Answer, forecast: Answer) -> Chart | None:
    """Draw the balance of the last days, and as many days ahead with the interval of their forecast."""
    if not history.ok:
        return None
    prefs = reader().prefs
    known = {
        row["at"][:10]: each["value"]
        for row in history.body["rows"]
        for each in row["values"]
        if each["metric"] == "balance" and each["currency"] == CREDIT
    }
    count = min(of.days, SHOWN + 1)
    days = [today - timedelta(days=back) for back in range(count - 1, -1, -1)]
    values = [Decimal(known[each.isoformat()]) if known.get(each.isoformat()) else None for each in days]
    if not any(values):
        return None
    ahead = forecast.body["points"][1:] if forecast.ok else []
    bands = [next(each for each in point["intervals"] if each["level"] == _BAND) for point in ahead]
    gap = (None,) * len(values)
    drawn = Series(
        label=_("Balance"),
        values=(*values, *(Decimal(point["value"]) for point in ahead)),
        ahead=len(ahead),
        low=(*gap, *(Decimal(band["low"]) for band in bands)) if ahead else (),
        high=(*gap, *(Decimal(band["high"]) for band in bands)) if ahead else (),
    )
    labels = [short_day(each, prefs) for each in (*days, *(date.fromisoformat(point["at"]) for point in ahead))]
    chart = line(_("Balance"), labels, (drawn,), Unit(CREDIT, prefs))
    note = _("Dashed: forecast. Its lower bound excludes credits not paid for yet.") if ahead else ""
    sentence = runs_out(ahead_of(of), forecast)
    return replace(chart, sentence=sentence, note=" ".join(filter(None, (note, chart.note))))


def runs_out(ahead: int, forecast: Answer) -> str:
    """Say how long the balance lasts; or why that is not known."""
    if not forecast.ok:
        if forecast.status == 422 and ahead > 30:
            return _("Not enough history to forecast %(days)s days. Choose 30 days for a shorter forecast.", days=ahead)
        known = forecast.problem if forecast.status == 422 else None
        return known.detail if known else _("The forecast is unavailable.")
    names = ("runs_out_at", "runs_out_earliest", "runs_out_latest")
    out, first, last = (day(each, reader().prefs) if (each := forecast.body[name]) else "" for name in names)
    span = {"out": out, "first": first, "last": last, "days": ahead}
    if out and first and last:
        return _(
            "At the current rate the balance runs out on %(out)s. The earliest is %(first)s, the latest %(last)s.",
            **span,
        )
    if out and first:
        return _(
            "At the current rate the balance runs out on %(out)s. "
            "The earliest is %(first)s, and it may last longer than %(days)s days.",
            **span,
        )
    if out:
        return _("At the current rate the balance runs out on %(out)s.", **span)
    if first:
        return _(
            "The balance should last %(days)s days or longer. If you spend more than usual, until %(first)s.", **span
        )
    return _("The balance lasts %(days)s days or longer.", **span)
