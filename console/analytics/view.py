"""What the page of an organization's spending shows: over time and by what, how long it lasts, and what would save."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from console.analytics import figures
from console.analytics.figures import Chosen
from console.charts import Chart, Ranking, Series, Unit, line
from console.format import Amount, Prefs, amount, day, month, short_day, titled
from console.forms import FormState
from console.gateway import Answer
from console.mentions import Naming, Sentence
from console.sections import unanswered
from console.widgets import Failed, FormPage, Link, Tab
from domain.common.money import CREDIT
from domain.insight.query import Compare

#: Which interval of a forecast its band is, in percent.
_BAND = 80
#: So many days before today of the balance are shown at most.
SHOWN = 89
#: What the button of each kind of advice does.
_ACTS: Mapping[str, str] = {
    "package": "View packages",
    "annual_plan": "View plans",
    "auto_topup": "Set automatic top-up",
    "cheaper_agent": "View agent",
    "unused": "View unused items",
    "payment_method": "View payment methods",
    "limit": "View limit",
    "bulk": "View purchases",
    "free_tier": "View payment policies",
    "method": "View payment policies",
    "arbitrage": "View details",
    "model_swap": "Compare models",
    "diversify": "View earnings",
}
#: What the amount of advice is.
_OF: Mapping[str, str] = {
    "saving": "Missed savings",
    "stopped": "Declined",
    "earning": "Missed revenue",
    "at_risk": "Depends on one source",
}
_TABS = (
    ("Spending", "/analytics"),
    ("Earnings", "/analytics/earnings"),
    ("Comparison", "/analytics/peers"),
    ("Reports", "/reports"),
    ("Exports", "/exports"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    text: str = ""
    amount: Amount | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    label: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """One piece of advice: what it would have saved last month, how that was computed, and where it is taken.

    Attributes:
        take: where the button `take_label` sends to, which proposes it or approves what was proposed; empty without.
        taken: what was proposed, and by whom; empty if nothing was.
    """

    title: Sentence
    amount: Amount
    of: str
    how: tuple[Sentence, ...]
    act: Link
    dismiss: str
    take: str
    take_label: str
    taken: Sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class May:
    dismiss: bool
    approve: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Analytics(FormPage):
    """The page. `…_failed` is shown in place of a section that could not be read.

    Attributes:
        runs_out: how long the balance lasts, in a sentence; or why that cannot be said.
        advice_of: the month that the advice is about; empty where it is not for the reader.
    """

    tabs: tuple[Tab, ...]
    chosen: Chosen
    figures: tuple[Figure, ...]
    spending: Chart | None
    ranks: tuple[Ranking, ...]
    spending_failed: Failed | None
    balance: Chart | None
    runs_out: str
    balance_failed: Failed | None
    advice: tuple[Advice, ...]
    advice_of: str
    advice_failed: Failed | None


def ahead_of(of: Chosen) -> int:
    """Return how far ahead a balance is forecast, in days: a longer forecast needs a longer past."""
    return min(max(of.days, 30), SHOWN + 1)


def tabs(base: str, here: str) -> tuple[Tab, ...]:
    """Return the pages that stand together; those of the platform have no earnings and nobody to be compared with."""
    platform = base == "/console/platform"
    named = [("Overview", "/analytics"), *_TABS[3:]] if platform else _TABS
    return tuple(Tab(label=label, href=base + path, current=path == here) for label, path in named)


def mentioning(answers: Mapping[str, Answer]) -> Iterator[Mapping[str, Any]]:
    """Yield what the page shows of other objects: agents, and what advice is about."""
    if answers["groups"].ok:
        yield from (row["group"] for row in answers["groups"].body["rows"])
    if "advice" in answers and answers["advice"].ok:
        yield from answers["advice"].body["data"]


def page(
    of: Chosen,
    today: date,
    answers: Mapping[str, Answer],
    naming: Naming,
    base: str,
    form: FormState,
    may: May,
) -> Analytics:
    prefs = naming.prefs
    unit = Unit(CREDIT, prefs)
    spent, groups, advice = answers["spending"], answers["groups"], answers.get("advice")
    ranks = list[Ranking | None]()
    for title, dimension, name in (
        ("By service", "action", _service),
        ("By model", "model", _model),
        ("By agent", "agent", agent_name(naming)),
        ("By project", "project", agent_name(naming, "No project")),
    ):
        if groups.ok:
            sums = figures.grouped(groups, "spending", CREDIT, dimension)
            ranks.append(figures.ranked(title, sums, name, unit))
    lines = figures.series(of, spent, "spending", CREDIT, "action") if spent.ok else {}
    forecast = answers["forecast"]
    # A key that reads its department alone has no advice.
    told = advice if advice is not None and advice.status != 403 else None
    return Analytics(
        title="Analytics",
        tabs=tabs(base, "/analytics"),
        chosen=of,
        figures=_figures(of, answers, prefs),
        spending=figures.bars(of, "Spending by service", lines, _service, unit),
        ranks=tuple(each for each in ranks if each is not None),
        spending_failed=unanswered("Spending", spent, of.path) or unanswered("Spending", groups, of.path),
        balance=_balance(of, today, answers["balance"], forecast, prefs),
        runs_out=_runs_out(ahead_of(of), forecast, prefs),
        balance_failed=unanswered("Balance", answers["balance"], of.path),
        advice=tuple(_advice(each, naming, base, may) for each in told.body["data"]) if told and told.ok else (),
        advice_of=month(told.body["month"], prefs) if told and told.ok else "",
        advice_failed=unanswered("Advice", told, of.path) if told else None,
        form=form,
    )


def agent_name(naming: Naming, none: str = "No agent") -> Callable[[str | None], str]:
    def name(id: str | None) -> str:
        return none if id is None else naming.names.get(id, id)

    return name


def _service(action: str | None) -> str:
    return titled(action.replace(".", " ")) if action else "Other services"


def _model(name: str | None) -> str:
    return name or "No model"


def _figures(of: Chosen, answers: Mapping[str, Answer], prefs: Prefs) -> tuple[Figure, ...]:
    pace = figures.totals(answers["balance"], "burn_rate").get(CREDIT, figures.Sum(Decimal(0), None))
    average = f"Average of {min(of.days, SHOWN + 1)} days"
    a_day = f"{round(pace.value or Decimal(0), 2):f}"
    return (
        measured(of, f"Spent in {of.words}", answers["groups"], "spending", prefs),
        Figure(label="Spent per day", values=(Value(amount=amount(a_day, CREDIT, prefs), note=average),)),
        measured(of, "Balance", answers["balance"], "balance", prefs),
    )


def measured(
    of: Chosen, label: str, answer: Answer, metric: str, prefs: Prefs, *, rate: bool = False, level: bool = False
) -> Figure:
    """Return a figure with its change, for each currency that has one."""
    values = list[Value]()
    for code, each in figures.totals(answer, metric).items():
        if code is not None and (each.value or each.before):
            note = than(of, each, Unit(code, prefs), level=level)
            values.append(Value(amount=amount(f"{each.value or 0:f}", code, prefs), note=note))
        elif code is None and each.value is not None:
            unit = Unit("%" if rate else "", prefs)
            shown = figures.Sum(round(each.value, 3), None if each.before is None else round(each.before, 3))
            values.append(Value(text=unit.write(round(each.value, 3)), note=than(of, shown, unit, level=level)))
    return Figure(label=label, values=tuple(values) or (Value(text="None"),))


def than(of: Chosen, sum: figures.Sum, unit: Unit, *, level: bool = False) -> str:
    """Say what a figure is compared with; a `level` is what there was at the end of the period."""
    if of.compare is None or sum.before is None:
        return ""
    earlier = "a year earlier" if of.compare == Compare.LAST_YEAR else f"{of.words} earlier"
    when = earlier if level or of.compare == Compare.LAST_YEAR else f"in the {of.words} before"
    changed = sum.changed(unit.prefs)
    if changed.endswith(("more", "less")) and unit.code != "%":
        return f"{changed} than {when}"
    if not sum.before and unit.code != "%":
        return f"{'nothing' if unit.code else 'none'} {when}"
    if changed == "the same":
        return f"the same as {when}"
    return f"{unit.write(sum.before)} {when}"


def _balance(of: Chosen, today: date, history: Answer, forecast: Answer, prefs: Prefs) -> Chart | None:
    """Draw the balance of the last days, and as many days ahead with the interval of their forecast."""
    if not history.ok:
        return None
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
        label="Balance",
        values=(*values, *(Decimal(point["value"]) for point in ahead)),
        ahead=len(ahead),
        low=(*gap, *(Decimal(band["low"]) for band in bands)) if ahead else (),
        high=(*gap, *(Decimal(band["high"]) for band in bands)) if ahead else (),
    )
    labels = [short_day(each, prefs) for each in (*days, *(date.fromisoformat(point["at"]) for point in ahead))]
    chart = line("Balance", labels, (drawn,), Unit(CREDIT, prefs))
    note = "Dashed: forecast. Its lower bound excludes credits not paid for yet." if ahead else ""
    return replace(
        chart, sentence=_runs_out(ahead_of(of), forecast, prefs), note=" ".join(filter(None, (note, chart.note)))
    )


def _runs_out(ahead: int, forecast: Answer, prefs: Prefs) -> str:
    if not forecast.ok:
        if forecast.status == 422 and ahead > 30:
            return f"Not enough history to forecast {ahead} days. Choose 30 days for a shorter forecast."
        known = forecast.problem is not None and forecast.status == 422
        return forecast.problem.detail if known and forecast.problem else "The forecast is unavailable."
    body = forecast.body
    out, first, last = (
        day(body[name], prefs) if body[name] else "" for name in ("runs_out_at", "runs_out_earliest", "runs_out_latest")
    )
    if out:
        span = f" The earliest is {first}" if first else ""
        until = f", the latest {last}." if last else f", and it may last longer than {ahead} days." if span else ""
        return f"At the current rate the balance runs out on {out}.{span}{until}"
    if first:
        return f"The balance should last {ahead} days or longer. If you spend more than usual, until {first}."
    return f"The balance lasts {ahead} days or longer."


def _advice(body: Mapping[str, Any], naming: Naming, base: str, may: May) -> Advice:
    here, taken = f"{base}/analytics/advice/{body['id']}", body["taken"]
    by = "" if taken is None else taken["taken_by"].rpartition("/")[2]
    take, label, said = "", "", ""
    if taken is None and body["takes"] and may.dismiss:
        what = "purchase" if body["takes"] == "purchase_order" else "change"
        take, label = f"{here}/take", f"Propose the {what}"
    elif taken is not None and taken["purchase_order_id"]:
        said = f"{by} has proposed the purchase {taken['purchase_order_id']}."
    elif taken is not None:
        said = f"{by} has proposed a change: {taken['policy_change']}"
        if taken["status"] == "proposed" and may.approve:
            take, label = f"{here}/approve", "Approve change"
    return Advice(
        title=naming(body["title"]),
        amount=amount(body["amount"], body["currency"], naming.prefs),
        of=_OF[body["meaning"]],
        how=tuple(naming(each) for each in body["how"]),
        act=Link(label=_ACTS.get(body["kind"], "View"), href=body["link"]),
        dismiss=f"{here}/dismiss" if may.dismiss else "",
        take=take,
        take_label=label,
        taken=naming(said),
    )
