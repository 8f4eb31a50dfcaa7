"""What a month of usage shows: by day, and by model, agent, department, project or action. Days are those of UTC."""

import re
from calendar import monthrange
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from console.charts import Chart, Series, Unit, stacked
from console.format import Amount, Ident, Prefs, amount, count, ident, month, short_day
from console.forms import FormState, query_form
from console.gateway import Answer
from console.sections import unanswered
from console.widgets import Failed, FormPage, Link, Tab, address

_BY = (
    ("model", "Model"),
    ("agent", "Agent"),
    ("department", "Department"),
    ("project", "Project"),
    ("action", "Action"),
)
#: What has names of its own, and the list of the API that tells them.
NAMED: Mapping[str, str] = {"agent": "/agents", "department": "/departments"}
_MONTH = re.compile(r"20[0-9]{2}-(0[1-9]|1[0-2])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What the address asks for: a month as `2026-11`, by what it is grouped, its first and its last day, and today."""

    path: str
    month: str
    by: str
    first: date
    last: date
    today: date
    form: FormState

    @property
    def days(self) -> dict[str, str]:
        return {"start_date": self.first.isoformat(), "end_date": self.last.isoformat()}

    def address(self, **changed: str) -> str:
        return address(self.path, list({"month": self.month, "by": self.by, **changed}.items()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one group used. `href` leads to its events, and is empty if they cannot be chosen by it."""

    name: str
    id: Ident | None
    href: str
    events: str
    input: str
    output: str
    costs: tuple[Amount, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage(FormPage):
    """A month. `…_failed` is shown in place of a section that could not be read; `sync` is for operators only.

    `groups_refused` says why the key does not read these groups: it reads those of its agent or department.
    """

    month: str
    choice: FormState
    path: str
    by: str
    before: Link
    after: Link | None
    costs: tuple[Amount, ...]
    events: str
    tokens: str
    charts: tuple[Chart, ...]
    days_failed: Failed | None
    tabs: tuple[Tab, ...]
    head: str
    rows: tuple[Row, ...]
    groups_refused: str
    groups_failed: Failed | None
    csv: str
    log: str
    agent_log: str
    models: str
    uses: str
    sync: str


def chosen(given: Mapping[str, str], today: date, path: str) -> Chosen:
    """Read the choice of the address; what is no month is said at its field, and this month is shown."""
    wanted, by = given.get("month", ""), given.get("by", "")
    current = f"{today:%Y-%m}"
    errors = {"month": "Invalid month. Use the format 2026-11."} if wanted and not _MONTH.fullmatch(wanted) else {}
    shown = current if errors or not wanted else wanted
    first = date.fromisoformat(f"{shown}-01")
    return Chosen(
        path=path,
        month=shown,
        by=by if by in dict(_BY) else "model",
        first=first,
        last=first.replace(day=monthrange(first.year, first.month)[1]),
        today=today,
        form=query_form({"month": wanted or shown}, errors),
    )


def page(
    of: Chosen,
    answers: Mapping[str, Answer],
    prefs: Prefs,
    form: FormState,
    sync: str,
    *,
    by_agent_only: bool = False,
    reads_money: bool = False,
) -> Usage:
    """Return a month."""
    days, groups, names = answers["days"], answers["groups"], answers.get("names")
    total: Mapping[str, Any] = (
        days.body["total"] if days.ok else {"costs": (), "events": 0, "input_tokens": 0, "output_tokens": 0}
    )
    known = {each["id"]: each["name"] for each in names.body["data"]} if names is not None and names.ok else {}
    before, after = of.first - timedelta(days=1), of.last + timedelta(days=1)
    refused = groups.problem.detail if groups.status == 403 and groups.problem and days.ok else ""
    return Usage(
        title=f"Usage in {month(of.first, prefs)}",
        month=of.month,
        form=form,
        choice=of.form,
        path=of.path,
        by=of.by,
        before=Link(label=month(before, prefs), href=of.address(month=f"{before:%Y-%m}")),
        after=Link(label=month(after, prefs), href=of.address(month=f"{after:%Y-%m}")) if after <= of.today else None,
        costs=_costs(total["costs"], prefs),
        events=count(total["events"], prefs),
        tokens=f"{count(total['input_tokens'], prefs)} in, {count(total['output_tokens'], prefs)} out",
        charts=_charts(of, days.body, prefs) if days.ok else (),
        days_failed=unanswered("Usage by day", days, of.address()),
        tabs=tabs(of, by_agent_only=by_agent_only),
        head=dict(_BY)[of.by],
        rows=tuple(_row(each, of, known, prefs) for each in (groups.body["data"] if groups.ok else ())),
        groups_refused=refused,
        groups_failed=None if refused else unanswered("Usage breakdown", groups, of.address()),
        csv=address(f"{of.path}.csv", [("month", of.month), ("by", of.by)]),
        log=f"{of.path}/log?from={of.first}&to={of.last}",
        agent_log=f"{of.path.removesuffix('/usage')}/economics?from={of.first}&to={of.last}",
        models=f"{of.path.removesuffix('/usage')}/economics/models" if reads_money else "",
        uses=f"{of.path}/uses?from={of.first}&to={of.last}",
        sync=sync,
    )


def tabs(of: Chosen, *, by_run: bool = False, by_agent_only: bool = False) -> tuple[Tab, ...]:
    """Return by what usage is grouped; runs, which are not added up ahead, have a page of their own."""
    found = [
        Tab(label=label, href=of.address(by=name), current=not by_run and name == of.by)
        for name, label in _BY
        if name == "agent" or not by_agent_only
    ]
    runs = address(f"{of.path}/runs", [("month", of.month)])
    return (*found, Tab(label="Run", href=runs, current=by_run))


def _costs(costs: Sequence[Mapping[str, str]], prefs: Prefs) -> tuple[Amount, ...]:
    return tuple(amount(each["cost"], each["currency"], prefs) for each in costs)


def _charts(of: Chosen, body: Mapping[str, Any], prefs: Prefs) -> tuple[Chart, ...]:
    """Draw the cost of each day, one chart a currency; how many events there were, where nothing has a cost."""
    lines = {line["group"]: line for line in body["data"]}
    every = [of.first + timedelta(days=number) for number in range((of.last - of.first).days + 1)]
    labels = [short_day(each, prefs) for each in every]
    currencies = [each["currency"] for each in body["total"]["costs"]]

    def drawn(title: str, values: list[Decimal], unit: Unit, *, whole: bool = False) -> Chart:
        return stacked(title, labels, (Series(label=title, values=tuple(values)),), unit, whole=whole)

    def cost(day: date, currency: str) -> Decimal:
        costs = lines[day.isoformat()]["costs"] if day.isoformat() in lines else ()
        return next((Decimal(each["cost"]) for each in costs if each["currency"] == currency), Decimal(0))

    if currencies:
        return tuple(
            drawn("Cost by day", [cost(day, currency) for day in every], Unit(currency, prefs))
            for currency in currencies
        )
    if not lines:
        return ()
    events = [Decimal(lines[day.isoformat()]["events"] if day.isoformat() in lines else 0) for day in every]
    return (drawn("Events by day", events, Unit("", prefs), whole=True),)


#: What the log is filtered by for a group.
_LOGGED = {"model": "model", "agent": "agent_id", "action": "action"}


def _row(line: Mapping[str, Any], of: Chosen, names: Mapping[str, str], prefs: Prefs) -> Row:
    group = line["group"]
    field = _LOGGED.get(of.by, "")
    events = [(field, group), ("from", of.first.isoformat()), ("to", of.last.isoformat())] if field and group else []
    is_id = group is not None and of.by in {"agent", "department", "project"}
    return Row(
        name=names.get(group, "") if is_id else group or "Not specified",
        id=ident(group) if is_id else None,
        href=address(f"{of.path}/log", events) if events else "",
        events=count(line["events"], prefs),
        input=count(line["input_tokens"], prefs),
        output=count(line["output_tokens"], prefs),
        costs=_costs(line["costs"], prefs),
    )
