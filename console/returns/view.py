"""What the page of returns shows: per agent, project or model, over time, and where what made each figure is listed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from console.charts import Chart, Series, Spark, Unit, line, spark
from console.format import Amount, Prefs, amount, count, money, percent, short_day
from console.forms import FormState
from console.gateway import Answer
from console.mentions import Naming, Sentence, sentence
from console.sections import unanswered
from console.widgets import Failed, FormPage, Link
from domain.common.money import CREDIT
from domain.returns.roi import RoiScope

CHOICES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "scope": ((RoiScope.AGENT, "Agents"), (RoiScope.PROJECT, "Projects"), (RoiScope.MODEL, "Models")),
    "period": (("30", "30 days"), ("90", "90 days"), ("365", "12 months")),
    "currency": (("USD", "USD"), ("EUR", "EUR"), ("CREDIT", "Credits")),
}
DEFAULTS = {"scope": str(RoiScope.AGENT), "period": "90", "currency": "USD"}
_NOBODY = {RoiScope.AGENT: "No agent", RoiScope.PROJECT: "No project", RoiScope.MODEL: "No model"}
#: The filter of the lists that have what made a figure, by whom it is of.
_FILTERS = {RoiScope.AGENT: "agent_id", RoiScope.PROJECT: "project_id"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    label: str
    value: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnRow:
    """The figures of one agent, project or model; `parts` are its costs by kind, `links` where they are listed."""

    name: Sentence
    revenue: Amount
    waiting: str
    costs: Amount
    parts: tuple[str, ...]
    margin: Amount
    roi: str
    note: str
    trend: Spark
    links: tuple[Link, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Returns(FormPage):
    path: str
    revenue: str
    allocations: str
    choices: Mapping[str, tuple[tuple[str, str], ...]]
    failed: Failed | None
    unrated: str
    left_out: str
    cards: tuple[Card, ...]
    chart: Chart | None
    head: str
    rows: tuple[ReturnRow, ...]
    more: str


def page(answer: Answer, naming: Naming, form: FormState, base: str, since: date, until: date) -> Returns:
    body: Mapping[str, Any] = answer.body if answer.ok else {"data": [], "rows": 0}
    scope, currency, prefs = RoiScope(form.value("scope")), form.value("currency"), naming.prefs
    rows = body["data"]
    is_unrated = answer.problem is not None and answer.problem.code == "analytics.no_rate"
    unrated = f"No exchange rate into {currency} yet. Choose another currency." if is_unrated else ""
    return Returns(
        title="ROI",
        path=f"{base}/returns",
        revenue=f"{base}/returns/revenue",
        allocations=f"{base}/allocations",
        form=form,
        choices=CHOICES,
        failed=None if unrated else unanswered("ROI", answer, f"{base}/returns"),
        unrated=unrated,
        left_out=_left_out(body.get("left_out", ())),
        cards=_cards(body["total"], currency, prefs) if answer.ok else (),
        chart=_chart(body["total"], currency, prefs) if answer.ok and rows else None,
        head=dict(CHOICES["scope"])[scope].removesuffix("s"),
        rows=tuple(_row(each, scope, currency, naming, base, since, until) for each in rows),
        more=f"The first {len(rows)} of {count(body['rows'], prefs)}." if body["rows"] > len(rows) else "",
    )


def _left_out(currencies: Sequence[str]) -> str:
    named = ["reported credits" if each == CREDIT else each for each in currencies]
    return f"Excluded, for lack of an exchange rate: {', '.join(named)}." if named else ""


def _cards(total: Mapping[str, Any], currency: str, prefs: Prefs) -> tuple[Card, ...]:
    waits = total["revenue"]["reported"]
    ahead = total["projection"]
    expected = "No forecast yet: not enough history"
    if ahead is not None:
        low, high = (money(ahead[end], currency, prefs) for end in ("low", "high"))
        expected = f"Forecast: {low} to {high} in the next {ahead['days']} days, 80 % interval"
    return (
        Card(
            label="Confirmed revenue",
            value=money(total["revenue"]["confirmed"], currency, prefs),
            note=f"{money(waits, currency, prefs)} wait for confirmation" if Decimal(waits) else "",
        ),
        Card(label="Costs", value=money(total["total_costs"], currency, prefs), note=""),
        Card(label="Margin", value=money(total["margin"], currency, prefs), note=expected),
        Card(label="ROI", value=_roi(total, prefs), note=_note(total, prefs)),
    )


def _roi(row: Mapping[str, Any], prefs: Prefs) -> str:
    return "No costs" if row["roi"] is None else percent(row["roi"], prefs)


def _note(row: Mapping[str, Any], prefs: Prefs) -> str:
    if row["roi"] is None:
        return ""
    found = [] if row["roi_lower"] is None else [f"at least {percent(row['roi_lower'], prefs)}"]
    if row["payback_days"] is not None:
        found.append(f"paid back in {row['payback_days']} days" if row["payback_days"] else "paid back at once")
    return ", ".join(found)


def _chart(total: Mapping[str, Any], currency: str, prefs: Prefs) -> Chart:
    labels = [short_day(each["day"], prefs) for each in total["trend"]]
    series = [
        Series(label=label, values=tuple(Decimal(each[name]) for each in total["trend"]))
        for label, name in (("Revenue", "revenue"), ("Costs", "costs"))
    ]
    return line("Revenue and costs by week", labels, series, Unit(currency, prefs), head="Week from")


def _row(
    row: Mapping[str, Any], scope: RoiScope, currency: str, naming: Naming, base: str, since: date, until: date
) -> ReturnRow:
    prefs, kinds = naming.prefs, row["costs"]
    waits = row["revenue"]["reported"]
    days = [short_day(each["day"], prefs) for each in row["trend"]]
    margins = [Decimal(each["revenue"]) - Decimal(each["costs"]) for each in row["trend"]]
    plain = row["id"] or _NOBODY[scope]
    return ReturnRow(
        name=naming(row["id"])
        if row["id"] and scope is not RoiScope.MODEL
        else sentence(plain, {}, prefs, lambda _: ""),
        revenue=amount(row["revenue"]["confirmed"], currency, prefs),
        waiting=f"{money(waits, currency, prefs)} wait" if Decimal(waits) else "",
        costs=amount(row["total_costs"], currency, prefs),
        parts=tuple(
            f"{name.capitalize()} {money(value, currency, prefs)}" for name, value in kinds.items() if Decimal(value)
        ),
        margin=amount(row["margin"], currency, prefs),
        roi=_roi(row, prefs),
        note=_note(row, prefs),
        trend=spark(days, margins, Unit(currency, prefs)),
        links=_links(row["id"], scope, base, since, until),
    )


def _links(id: str | None, scope: RoiScope, base: str, since: date, until: date) -> tuple[Link, ...]:
    if id is None or scope not in _FILTERS:
        return ()
    period = f"from={since}&to={until - timedelta(days=1)}"
    found = [Link(label="Revenue", href=f"{base}/returns/revenue?{_FILTERS[scope]}={id}&{period}")]
    if scope is RoiScope.AGENT:
        found.append(Link(label="Costs", href=f"{base}/economics?agent_id={id}&{period}"))
    return tuple(found)
