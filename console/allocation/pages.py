"""Allocations: what each agent of a project gets for a day and why, their acceptance, the setting, and trials."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from starlette.responses import Response

from console import lists
from console.filters import day
from console.forms import Form, FormState, blank, is_number, read_form
from console.gateway import Answer, Refused, Wanted
from console.lists import ListResult
from console.noun import Json, Noun
from console.noun_page import FormPage, tab
from console.problems import answered
from console.refusals import not_found
from console.routing import COMMAND
from console.texts import N_, _, gettext
from console.visit import Visit
from domain.common.access import Permission
from domain.returns.allocation import AllocationMode
from domain.returns.trial import StopReason

#: The most trials that are listed.
_TRIALS = 50
#: The parts that are typed in percent.
PARTS = ("floor", "ceiling", "reinvest")
_MODES = (
    (AllocationMode.PROPOSE.value, N_("Propose"), N_("Budgets change if a person accepts within 12 hours.")),
    (AllocationMode.AUTO.value, N_("Automatic"), N_("Budgets change at the start of each day.")),
    (AllocationMode.OFF.value, N_("Off"), N_("Budgets do not change.")),
)
_TABS = (
    ("", N_("All")),
    ("proposed", N_("Proposed")),
    ("applied", N_("Applied")),
    ("expired", N_("Expired")),
)
_STOPPED = {
    StopReason.RESULTS: N_("It had too few accepted results."),
    StopReason.ROI: N_("Its confirmed return was too low, or is unknown."),
    StopReason.BUDGET_CLOSED: N_("Its budget was closed."),
}
ALLOCATIONS = Noun(
    "/allocations",
    title=N_("Allocations"),
    folder="allocation",
    name=lambda it: str(day(it["night"])),
    change=Permission.MANAGE_SPENDING,
)


def _extra(visit: Visit) -> dict[str, Wanted]:
    visit.need(Permission.INSPECT if visit.me.is_platform else Permission.READ_BILLING)
    return {"trials": ("/trials", {"limit": _TRIALS, **visit.scope})}


async def of_list(visit: Visit, found: ListResult) -> dict[str, Any]:
    answered(found.extra["trials"])
    stopped = {reason.value: gettext(words) for reason, words in _STOPPED.items()}
    naming = await visit.naming(found.rows, "project_id")
    return {"trials": found.extra["trials"], "names": naming.names, "stopped": stopped}


async def of_allocation(visit: Visit, it: Json, _answers: Mapping[str, Answer]) -> dict[str, Any]:
    """Return what each agent had and gets, and why."""
    return {"naming": await visit.naming([it], "project_id"), "in_tens": in_tens}


def in_tens(ratio: str) -> str:
    """Return a score from 0 to 10."""
    return f"{Decimal(ratio) * 10:f}"


def _may_set(visit: Visit) -> bool:
    return visit.may(Permission.MANAGE_SPENDING) and not visit.me.is_platform


async def ask_to_set(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.MANAGE_SPENDING)
    if not _may_set(visit):
        raise Refused(not_found(visit.request))
    slug = form.value("project") if form else visit.chosen("project").get("project", "")
    wanted: dict[str, Wanted] = {"now": (f"/projects/{slug}/allocation", {})} if slug and not form else {}
    answers = await visit.ask_all(projects=("/projects", {"limit": lists.ROWS}), **wanted)
    page = FormPage(
        title=_("Allocate a project's budget"),
        crumbs=ALLOCATIONS.crumbs(visit),
        action=f"{ALLOCATIONS.listed(visit)}/set",
        form=form or _as_set(slug, answers.get("now")),
        label=_("Save"),
        lead=_("Applies from the next day. The project needs a budget in this currency."),
    )
    values = {
        "projects": tuple((each["slug"], each["name"]) for each in answers["projects"].need()["data"]),
        "modes": tuple((mode, gettext(words), gettext(effect)) for mode, words, effect in _MODES),
    }
    return await visit.show("allocation/set.html", page, values, status)


def _as_set(slug: str, now: Answer | None) -> FormState:
    if now is None or not now.ok:
        return blank(project=slug, currency="USD")
    of: Mapping[str, str] = {name: now.body[name] for name in ("mode", "currency", "daily_amount")}
    return blank(project=slug, **of, **{name: _in_percent(now.body[name]) for name in PARTS})


def _in_percent(ratio: str) -> str:
    return f"{(Decimal(ratio) * 100).normalize():f}"


async def set_(visit: Visit) -> Response:
    """Set how a project's budget is divided from the next night on."""
    form = await read_form(visit.request, "project", "mode", "currency", "daily_amount", *PARTS)
    body: Json = {
        **{name: form.text(name) for name in ("mode", "currency")},
        "daily_amount": form.number("daily_amount"),
        **{name: _ratio(form, name) for name in PARTS if form.maybe(name)},
    }
    answer = await visit.command("PUT", f"/projects/{form.text('project')}/allocation", body, form.key)
    return await visit.concluded(form, answer, ALLOCATIONS.listed(visit), "allocation.set", show=ask_to_set)


def _ratio(form: Form, name: str) -> str:
    """Return a ratio typed in percent; what is no number is sent as typed, and refused at its field."""
    text = form.number(name)
    return f"{(Decimal(text) / 100).normalize():f}" if is_number(text) else text


ALLOCATIONS.list(tab("status"), tabs=_TABS, extra=_extra, values=of_list, create="set", may_create=_may_set)
ALLOCATIONS.add("/allocations/set", ask_to_set)
ALLOCATIONS.add("/allocations/set", set_, *COMMAND)
ALLOCATIONS.page(values=of_allocation)
ALLOCATIONS.command("accept", "allocation.accepted")
ROUTES = ALLOCATIONS.routes
