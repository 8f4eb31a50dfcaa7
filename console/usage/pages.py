"""Usage of an organization: a month with the uses of its credits, one use, runs of agents, and the log of events."""

import re
from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from starlette.responses import Response

from console import lists
from console.charts import Chart, Series, Unit, stacked
from console.format import month, short_day
from console.forms import FormState, blank, query_form, read_form
from console.gateway import Answer, Wanted
from console.noun import Json, Noun
from console.noun_page import ListPage, pick, select, shown_filters, tab, text
from console.problems import answered
from console.reader import reader
from console.routing import COMMAND
from console.texts import N_, _, gettext
from console.visit import Visit
from console.widgets import FormPage, Link, Tab, address
from domain.common.access import Permission
from domain.insight.spent import service_name

_PATH, _LOG = "/billing/usage", "/billing/usage/logs"
#: The most refunds of a use, names of groups, and latest events whose runs are listed.
_REFUNDS, _NAMES, LATEST = 100, 100, 200
_BY = {
    "model": N_("Model"),
    "agent": N_("Agent"),
    "department": N_("Department"),
    "project": N_("Project"),
    "action": N_("Action"),
}
#: The groups that have names, with the list that has them; the filter has those of agents.
NAMED = {"department": "/departments", "project": "/projects"}
#: The filter of the log for a group.
LOGGED = {"model": "model", "agent": "agent_id", "action": "action"}
_MONTH = re.compile(r"20[0-9]{2}-(0[1-9]|1[0-2])")
#: The metadata of a use that its page shows elsewhere.
_SHOWN = frozenset({"model", "meter", "payee_agent_id", "usage_event"})

USES = Noun("/credits/usage", title=N_("Uses"), folder="usage", at="/usage")
LOG = Noun(_LOG, title=N_("Usage log"), folder="usage/log", at="/usage/log", above=((N_("Usage"), "/usage"),))
FILTERS = (
    text("action", N_("Action")),
    pick("agent_id", N_("Agent")),
    text("run_id", N_("Run")),
    select("status", N_("Status"), "spend"),
    tab("month"),
    tab("by"),
)
_NAMES_OF_FILTERS = tuple(each.name for each in FILTERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """The month that the address asks for, such as `2026-11`, and by what its usage is grouped."""

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

    @property
    def head(self) -> str:
        return gettext(_BY[self.by])

    @property
    def span(self) -> str:
        """The query of the lists of the month."""
        return f"from={self.first}&to={self.last}"

    @property
    def before(self) -> date:
        return self.first - timedelta(days=1)

    @property
    def after(self) -> date | None:
        """The next month; None if it has not begun."""
        following = self.last + timedelta(days=1)
        return following if following <= self.today else None

    def address(self, **changed: str) -> str:
        return address(self.path, list({"month": self.month, "by": self.by, **changed}.items()))

    def log(self, group: str | None) -> str:
        """Return the address of the events of a group; empty if the log has no filter for it."""
        query = [(LOGGED.get(self.by, ""), group or ""), ("from", f"{self.first}"), ("to", f"{self.last}")]
        return address(f"{self.path}/log", query) if group and self.by in LOGGED else ""


def chosen(given: Mapping[str, str], today: date, path: str) -> Month:
    """Read a month; for an invalid one the current month is shown, with an error at the field."""
    wanted, by = given.get("month", ""), given.get("by", "")
    errors = {"month": _("Invalid month. Use the format 2026-11.")} if wanted and not _MONTH.fullmatch(wanted) else {}
    shown = f"{today:%Y-%m}" if errors or not wanted else wanted
    first = date.fromisoformat(f"{shown}-01")
    return Month(
        path=path,
        month=shown,
        by=by if by in _BY else "model",
        first=first,
        last=first.replace(day=monthrange(first.year, first.month)[1]),
        today=today,
        form=query_form({"month": wanted or shown}, errors),
    )


def charts(of: Month, body: Json) -> tuple[Chart, ...]:
    """Draw the cost of each day, one chart a currency; the number of events, if nothing has a cost."""
    prefs = reader().prefs
    lines = {line["group"]: line for line in body["data"]}
    days = [f"{of.first + timedelta(days=number)}" for number in range(of.last.day)]
    labels = [short_day(each, prefs) for each in days]

    def drawn(title: str, values: list[Decimal], unit: Unit, *, whole: bool = False) -> Chart:
        return stacked(title, labels, (Series(label=title, values=tuple(values)),), unit, whole=whole)

    def cost(day: str, currency: str) -> Decimal:
        costs = lines[day]["costs"] if day in lines else ()
        return next((Decimal(each["cost"]) for each in costs if each["currency"] == currency), Decimal(0))

    if currencies := [each["currency"] for each in body["total"]["costs"]]:
        return tuple(
            drawn(_("Cost by day"), [cost(day, code) for day in days], Unit(code, prefs)) for code in currencies
        )
    events = [Decimal(lines[day]["events"] if day in lines else 0) for day in days]
    return (drawn(_("Events by day"), events, Unit("", prefs), whole=True),) if lines else ()


def _is_of_agents(visit: Visit) -> bool:
    """Return whether a key reads nothing but its agent's usage."""
    return visit.me.agent_id is not None and not visit.may(Permission.READ_BILLING)


def _chosen(visit: Visit) -> Month:
    by = {"by": "agent"} if _is_of_agents(visit) else {}
    return chosen({**visit.chosen("month", "by"), **by}, datetime.now(UTC).date(), f"{visit.base}/usage")


def _tabs(of: Month, visit: Visit, *, runs: bool = False) -> tuple[Tab, ...]:
    """Return by what usage is grouped; runs have a page of their own."""
    found = [
        Tab(label=gettext(label), href=of.address(by=name), current=not runs and name == of.by)
        for name, label in _BY.items()
        if name == "agent" or not _is_of_agents(visit)
    ]
    return (*found, Tab(label=_("Run"), href=address(f"{of.path}/runs", [("month", of.month)]), current=runs))


def _fixed(visit: Visit, of: Month) -> dict[str, str | None]:
    """Return what the list of uses is asked for: a month that was chosen, unless days were."""
    given = visit.chosen("month", "from", "to")
    is_month = "month" in given and not given.keys() & {"from", "to"} and not of.form.errors
    days = {"from": f"{of.first}T00:00:00Z", "to": f"{of.last + timedelta(days=1)}T00:00:00Z"} if is_month else {}
    return {"month": None, "by": None, **days}


async def show(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    """Show a month, day by day and by what it was used, and the uses of credits."""
    of = _chosen(visit)
    days = {**of.days, **visit.scope}
    wanted: dict[str, Wanted] = {"days": (_PATH, days), "groups": (_PATH, {**days, "group_by": of.by})}
    if of.by in NAMED:
        wanted["names"] = (NAMED[of.by], {"limit": _NAMES, "organization_id": visit.org_id})
    found = await lists.find(visit, USES.path, *_NAMES_OF_FILTERS, at=of.path, fixed=_fixed(visit, of), extra=wanted)
    by_day, groups = found.extra["days"], found.extra["groups"]
    # A key of an agent or a department does not read all groups.
    if answered(by_day) and groups.status != 403:
        answered(groups)
    page = ListPage(
        title=_("Usage in %(month)s", month=month(of.first, visit.choices.prefs)),
        listed=USES.view(found, FILTERS),
        filters=shown_filters(visit, FILTERS, days=True),
        tabs=_tabs(of, visit),
    )
    values = {
        "rows": found.rows,
        "of": of,
        "days": by_day,
        "groups": groups,
        "charts": charts(of, by_day.body) if by_day.ok else (),
        "names": dict(found.choices["agent_id"]) | _named(found.extra.get("names")),
        "naming": await visit.naming(found.rows, "agent_id"),
        "form": form or blank(),
        "reads_money": visit.reads_money,
    }
    wrong = 422 if of.form.errors else found.status
    return await visit.show("usage/page.html", page, values, status if form else wrong)


def _named(answer: Answer | None) -> dict[str, str]:
    return {each["id"]: each["name"] for each in answer.body["data"]} if answer is not None and answer.ok else {}


async def download(visit: Visit) -> Response:
    """Answer with the uses of credits as CSV."""
    return await lists.csv(visit, USES.path, "uses", *_NAMES_OF_FILTERS, days=True, **_fixed(visit, _chosen(visit)))


async def download_groups(visit: Visit) -> Response:
    """Answer with the usage of a month by group as CSV."""
    of = _chosen(visit)
    await visit.frame()
    query = {**of.days, "group_by": of.by, **visit.scope}
    return visit.stream(_PATH, query, accept="text/csv", name=f"usage-{of.month}-by-{of.by}.csv")


async def sync(visit: Visit) -> Response:
    form = await read_form(visit.request)
    answer = await visit.command("POST", f"{_PATH}/sync", None, form.key)
    return await visit.concluded(form, answer, f"{visit.base}/usage", "usage.syncing", show=show)


async def show_runs(visit: Visit) -> Response:
    """Show the cost of a run by agent and step, and the runs of the month's latest events."""
    of, name = _chosen(visit), visit.chosen("run").get("run", "")
    wanted: dict[str, Wanted] = {"log": (_LOG, {**of.days, "limit": LATEST, **visit.scope})}
    if name:
        wanted["run"] = (f"/usage/runs/{name}", visit.scope)
    answers = await visit.ask_all(**wanted)
    log, run = answers["log"], answers.get("run")
    is_missing = run is not None and run.status == 404
    run = None if is_missing else run
    for each in filter(None, (log, run)):
        answered(each)
    page = FormPage(
        title=_("Usage by run"),
        crumbs=(Link(label=_("Usage"), href=of.path),),
        form=query_form({"run": name}, {"run": _("No usage was reported for this run.")} if is_missing else {}),
        action=f"{of.path}/runs",
    )
    values = {
        "tabs_of": _tabs(of, visit, runs=True),
        "of": of,
        "log": log,
        "run": run,
        "latest": latest(log.body["data"]) if log.ok else (),
        "naming": await visit.naming([run.body] if run is not None and run.ok else (), "agents"),
    }
    return await visit.show("usage/runs.html", page, values, 404 if is_missing else 200)


def latest(events: list[Json]) -> tuple[Json, ...]:
    """Return the latest event of each run."""
    found: dict[str, Json] = {}
    for each in events:
        if each["run_id"]:
            found.setdefault(each["run_id"], each)
    return tuple(found.values())


def title_of(spend: Json) -> str:
    """Return the title of a use: its action, or the agent that was used or bought."""
    agent = spend["payee_agent_name"] or _("an agent")
    if spend["meter"]:
        return _("Use of %(name)s", name=agent)
    return _("Purchase of %(name)s", name=agent) if spend["purchase_id"] else gettext(service_name(spend["action"]))


def _refunds(visit: Visit) -> dict[str, Wanted]:
    return {"refunds": (f"{SPENDS.own(visit)}/refunds", {"limit": _REFUNDS})}


async def of_use(visit: Visit, spend: Json, answers: Mapping[str, Answer]) -> dict[str, Any]:
    """Return what a use was for, and its refunds."""
    answered(answers["refunds"])
    metadata = spend["metadata"] or {}
    return {
        "refunds": answers["refunds"],
        "naming": await visit.naming([spend], "agent_id", "department_id", "project_id"),
        "metadata": tuple((name, str(value)) for name, value in sorted(metadata.items()) if name not in _SHOWN),
        "model": str((spend["usage_event"] or {}).get("model") or metadata.get("model") or ""),
        "reads_money": visit.reads_money,
    }


SPENDS = Noun("/credits/spends", title=N_("Usage"), folder="usage/use", at="/usage", name=title_of)


async def of_log(visit: Visit, found: lists.ListResult) -> dict[str, Any]:
    return {"naming": await visit.naming(found.rows, "agent_id")}


USES.add("/usage", show)
USES.add("/usage.csv", download)
USES.add("/usage/breakdown.csv", download_groups)
USES.add("/usage/runs", show_runs)
USES.add("/usage/sync", sync, *COMMAND)
LOG.list(
    text("model", N_("Model")),
    pick("agent_id", N_("Agent")),
    text("action", N_("Action")),
    text("run_id", N_("Run")),
    text("type", N_("Type")),
    text("source", N_("Source")),
    days=True,
    values=of_log,
    create="",
)
SPENDS.page(extra=_refunds, values=of_use)
ROUTES = (*LOG.routes, *USES.routes, *SPENDS.routes)
