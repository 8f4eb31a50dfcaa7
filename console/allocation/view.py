"""What the pages of allocations show: the days, one day with its agents, how it is divided, and trials."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from console.format import Amount, Moment, amount, day, digits_of, moment
from console.forms import FormState
from console.gateway import Answer
from console.lists import ListPage, ListResult
from console.mentions import Naming
from console.sections import unanswered
from console.status import Status, status_of
from console.widgets import Failed, FormPage, Link, Tab
from domain.returns.allocation import AllocationMode, AllocationStatus
from domain.returns.trial import StopReason

#: The parts that are typed in percent.
PARTS = ("floor", "ceiling", "reinvest")
_MODES = (
    (AllocationMode.PROPOSE.value, "Propose", "Budgets change if a person accepts within 12 hours."),
    (AllocationMode.AUTO.value, "Automatic", "Budgets change at the start of each day."),
    (AllocationMode.OFF.value, "Off", "Budgets do not change."),
)
_TABS = (("", "All"), *((each.value, each.value.capitalize()) for each in AllocationStatus))
_STOPPED: Mapping[str, str] = {
    StopReason.RESULTS: "It had too few accepted results.",
    StopReason.ROI: "Its confirmed return was too low, or is unknown.",
    StopReason.BUDGET_CLOSED: "Its budget was closed.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    href: str
    day: str
    project: str
    status: Status
    total: Amount
    agents: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRow:
    """A trial: `stages` says how many were paid, `why` why it was stopped."""

    agent: str
    href: str
    status: Status
    paid: Amount
    amount: Amount
    stages: str
    next: Moment | None
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocations(ListPage):
    """The list; `set` is empty for who may not say how budgets are divided."""

    rows: tuple[Day, ...]
    set: str
    trials: tuple[TrialRow, ...]
    trials_failed: Failed | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentLine:
    """What an agent had and gets; `old` is None if it had no budget of a day."""

    agent: str
    href: str
    old: Amount | None
    new: Amount
    success: str
    performance: str
    task: Amount
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationPage(FormPage):
    """One day. `action` accepts it, and is empty for who may not; `credit` is None where nothing was converted."""

    day: Day
    reinvested: Amount
    left_out: str
    credit: Amount | None
    until: Moment | None
    applied: Moment | None
    by: str
    lines: tuple[AgentLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting(FormPage):
    projects: tuple[tuple[str, str], ...]
    create: str
    modes: tuple[tuple[str, str, str], ...]


def several(found: ListResult, naming: Naming, here: str, setting: str) -> Allocations:
    trials, chosen = found.extra["trials"], found.asked.given.get("status", "")
    return Allocations(
        title="Allocations",
        listed=found.listed("Allocations", {}),
        tabs=tuple(
            Tab(label=label, href=found.asked.address(status=value), current=value == chosen) for value, label in _TABS
        ),
        rows=tuple(_day(each, naming, here) for each in found.rows),
        set=setting,
        trials=tuple(_trial(each, naming, here) for each in (trials.body["data"] if trials.ok else ())),
        trials_failed=unanswered("Trials", trials, here),
    )


def _day(body: Mapping[str, Any], naming: Naming, here: str) -> Day:
    return Day(
        href=f"{here}/{body['id']}",
        day=day(body["night"], naming.prefs),
        project=naming.names.get(body["project_id"], "A project"),
        status=status_of("allocation", body["status"]),
        total=amount(body["total"], body["currency"], naming.prefs),
        agents="1 agent" if body["agents"] == 1 else f"{body['agents']} agents",
    )


def _trial(body: Mapping[str, Any], naming: Naming, here: str) -> TrialRow:
    paid = sum(stage["paid"] for stage in body["stages"])
    return TrialRow(
        agent=body["agent_name"],
        href=f"{here.rpartition('/')[0]}/budgets/{body['budget_id']}",
        status=status_of("trial", body["status"]),
        paid=amount(body["paid"], body["currency"], naming.prefs),
        amount=amount(body["amount"], body["currency"], naming.prefs),
        stages=f"{paid} of {len(body['stages'])}",
        next=moment(body["next_at"], naming.prefs) if body["next_at"] else None,
        why=_STOPPED.get(body["stopped_by"] or "", ""),
    )


def one(body: Mapping[str, Any], form: FormState, naming: Naming, here: str, *, may_accept: bool) -> AllocationPage:
    own, currency, prefs, priced = _day(body, naming, here), body["currency"], naming.prefs, body["priced_at"]
    agents = f"{here.rpartition('/')[0]}/agents"
    return AllocationPage(
        title=f"{own.project}, {own.day}",
        crumbs=(Link(label="Allocations", href=here),),
        day=own,
        reinvested=amount(body["reinvested"], currency, prefs),
        left_out=", ".join(body["left_out"]),
        credit=None if priced is None else amount(priced["amount"], priced["currency"], prefs),
        until=moment(body["answer_by"], prefs) if body["answer_by"] else None,
        applied=moment(body["applied_at"], prefs) if body["applied_at"] else None,
        by=(body["applied_by"] or "").rpartition("/")[2],
        lines=tuple(
            AgentLine(
                agent=each["agent_name"],
                href=f"{agents}/{each['agent_id']}",
                old=None if each["old"] is None else amount(each["old"], currency, prefs),
                new=amount(each["new"], currency, prefs),
                success=digits_of(Decimal(each["success"]), prefs, least=2),
                performance=digits_of(Decimal(each["performance"]) * 10, prefs, least=1),
                task=amount(each["task"], currency, prefs),
                reason=each["reason"],
            )
            for each in body["lines"]
        ),
        form=form,
        action=f"{own.href}/accept" if may_accept else "",
    )


def setting(projects: Answer, form: FormState, here: str) -> Setting:
    """Return the form; amounts are in the currency of the project's budget."""
    return Setting(
        title="Allocate a project's budget",
        crumbs=(Link(label="Allocations", href=here),),
        form=form,
        action=f"{here}/set",
        projects=tuple((each["slug"], each["name"]) for each in projects.need()["data"]),
        create=f"{here.rpartition('/')[0]}/projects",
        modes=_MODES,
    )


def in_percent(ratio: str) -> str:
    return f"{(Decimal(ratio) * 100).normalize():f}"
