"""What runs of agents cost: one run by its agents and steps, and which there were lately.

Usage is added up by day and by what has few values. Runs have as many as there are, so none are added up ahead: a run
is added up from its own events when it is asked for, and of a month the runs of its latest events are named.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from console.format import Amount, Moment, Prefs, amount, count, moment
from console.forms import query_form
from console.gateway import Answer
from console.mentions import Naming, Sentence
from console.sections import unanswered
from console.usage.view import Chosen
from console.widgets import Failed, FormPage, Link, Tab, address

#: So many of a month's latest events are looked through for their runs: a page of the log.
LATEST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a part of a run cost. `unrated` is empty where every event has a price."""

    events: str
    tokens: str
    costs: tuple[Amount, ...]
    unrated: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OfAgent:
    """What one agent's part of a run cost; `agent` is empty for events that name none."""

    agent: Sentence
    cost: Cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a run: what it cost by itself, and with all that it set off."""

    name: str
    parent: str
    own: Cost
    total: Cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run; `log` leads to its events."""

    name: str
    total: Cost
    agents: tuple[OfAgent, ...]
    steps: tuple[Step, ...]
    log: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Latest:
    """A run of the latest events: when one of them was, and where the run is shown."""

    name: str
    at: Moment
    href: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs(FormPage):
    """The page. `run` is None until one is asked for, and where it has reported nothing."""

    path: str
    month: str
    tabs: tuple[Tab, ...]
    run: Run | None
    run_failed: Failed | None
    latest: tuple[Latest, ...]
    latest_failed: Failed | None


def page(of: Chosen, name: str, answers: Mapping[str, Answer], tabs: tuple[Tab, ...], naming: Naming) -> Runs:
    log, run, here = answers["log"], answers.get("run"), f"{of.path}/runs"
    again = address(here, [("month", of.month), ("run", name)])
    missing = run is not None and run.status == 404
    errors = {"run": "No usage was reported for this run."} if missing else {}
    known = None if missing else run
    return Runs(
        title="Usage by run",
        crumbs=(Link(label="Usage", href=of.path),),
        path=here,
        month=of.month,
        form=query_form({"run": name}, errors),
        tabs=tabs,
        run=_run(known.body, of, naming) if known is not None and known.ok else None,
        run_failed=unanswered("The run", known, again) if known is not None else None,
        latest=_latest(log.body["data"], of, naming.prefs) if log.ok else (),
        latest_failed=unanswered("Latest runs", log, again),
    )


def _run(body: Mapping[str, Any], of: Chosen, naming: Naming) -> Run:
    prefs = naming.prefs
    return Run(
        name=body["run_id"],
        total=_cost(body["total"], prefs),
        agents=tuple(OfAgent(agent=naming(each["agent_id"]), cost=_cost(each, prefs)) for each in body["agents"]),
        steps=tuple(
            Step(
                name=each["step_id"],
                parent=each["parent_id"] or "",
                own=_cost(each["own"], prefs),
                total=_cost(each["total"], prefs),
            )
            for each in body["steps"]
        ),
        log=address(f"{of.path}/log", [("run_id", body["run_id"])]),
    )


def _cost(cost: Mapping[str, Any], prefs: Prefs) -> Cost:
    return Cost(
        events=count(cost["events"], prefs),
        tokens=count(cost["tokens"], prefs),
        costs=tuple(amount(value, currency, prefs) for currency, value in cost["costs"].items()),
        unrated=count(cost["unrated"], prefs) if cost["unrated"] else "",
    )


def _latest(events: Sequence[Mapping[str, Any]], of: Chosen, prefs: Prefs) -> tuple[Latest, ...]:
    found: dict[str, str] = {}
    for each in events:
        if each["run_id"]:
            found.setdefault(each["run_id"], each["occurred_at"])
    return tuple(
        Latest(
            name=name,
            at=moment(at, prefs),
            href=address(f"{of.path}/runs", [("month", of.month), ("run", name)]),
        )
        for name, at in found.items()
    )
