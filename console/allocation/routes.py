"""Allocations: what each agent of a project gets for a day and why, who accepts it, and how it is divided."""

from decimal import Decimal

from starlette.responses import Response

from console import lists
from console.allocation import view
from console.forms import Form, FormState, blank, is_number, read_form
from console.gateway import Answer, Refused, Wanted
from console.refusals import not_found
from console.routing import COMMAND, tenant
from console.visit import Visit
from domain.common.access import Permission
from domain.returns.allocation import AllocationStatus

_PATH, _TRIALS, _PROJECTS = "/allocations", "/trials", "/projects"
#: So many trials are shown, and so many projects can be chosen.
_SHOWN = 50


def _here(visit: Visit) -> str:
    return f"{visit.base}{_PATH}"


def _need(visit: Visit) -> None:
    visit.need(Permission.INSPECT if visit.me.is_platform else Permission.READ_BILLING)


async def show(visit: Visit) -> Response:
    _need(visit)
    trials: Wanted = (_TRIALS, {"limit": _SHOWN, **visit.scope})
    found = await lists.find(visit, _PATH, "status", days=False, extra={"trials": trials})
    naming = await visit.naming(found.rows, "project_id")
    setting = f"{_here(visit)}/set" if _may_set(visit) else ""
    return await visit.render("allocation/list.html", view.several(found, naming, _here(visit), setting), found.status)


async def show_one(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    """Show what each agent had and gets, and why; who may accepts it here."""
    _need(visit)
    body = visit.owned((await visit.ask(f"{_PATH}/{visit.path('id')}")).need())
    may_accept = visit.may(Permission.MANAGE_SPENDING) and body["status"] == AllocationStatus.PROPOSED
    naming = await visit.naming([body], "project_id")
    page = view.one(body, form or blank(), naming, _here(visit), may_accept=may_accept)
    return await visit.render("allocation/page.html", page, status)


async def accept(visit: Visit) -> Response:
    form, own = await read_form(visit.request), visit.path("id")
    answer = await visit.command("POST", f"{_PATH}/{own}/accept", None, form.key)
    return await visit.concluded(form, answer, f"{_here(visit)}/{own}", "allocation.accepted", show=show_one)


def _may_set(visit: Visit) -> bool:
    return visit.may(Permission.MANAGE_SPENDING) and not visit.me.is_platform


async def ask_to_set(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.MANAGE_SPENDING)
    if not _may_set(visit):
        raise Refused(not_found(visit.request))
    slug = form.value("project") if form else visit.chosen("project").get("project", "")
    wanted = {"projects": (_PROJECTS, {"limit": _SHOWN})}
    answers = await visit.ask_all(**wanted, **({"now": (f"{_PROJECTS}/{slug}/allocation", {})} if slug else {}))
    page = view.setting(answers["projects"], form or _as_set(slug, answers.get("now")), _here(visit))
    return await visit.render("allocation/set.html", page, status)


def _as_set(slug: str, now: Answer | None) -> FormState:
    if now is None or not now.ok:
        return blank(project=slug)
    of = {name: now.body[name] for name in ("mode", "currency", "daily_amount")}
    parts = {name: view.in_percent(now.body[name]) for name in view.PARTS}
    return blank(project=slug, **of, **parts)


async def set_(visit: Visit) -> Response:
    """Set how a project's budget is divided, from the next night on."""
    form = await read_form(visit.request, "project", "mode", "currency", "daily_amount", *view.PARTS)
    body = {name: form.text(name) for name in ("mode", "currency")} | {"daily_amount": form.number("daily_amount")}
    body |= {name: _ratio(form, name) for name in view.PARTS if form.maybe(name)}
    answer = await visit.command("PUT", f"{_PROJECTS}/{form.text('project')}/allocation", body, form.key)
    return await visit.concluded(form, answer, _here(visit), "allocation.set", show=ask_to_set)


def _ratio(form: Form, name: str) -> str:
    """Return a part that was typed in percent; what is no number goes as it is, and is refused at its field."""
    text = form.number(name)
    return f"{(Decimal(text) / 100).normalize():f}" if is_number(text) else text


ROUTES = tuple(
    tenant(path, page, methods)
    for path, page, methods in (
        (_PATH, show, ("GET",)),
        (f"{_PATH}.csv", lists.file(_PATH, "allocations", "status", days=False), ("GET",)),
        (f"{_PATH}/set", ask_to_set, ("GET",)),
        (f"{_PATH}/set", set_, COMMAND),
        (f"{_PATH}/{{id}}", show_one, ("GET",)),
        (f"{_PATH}/{{id}}/accept", accept, COMMAND),
    )
)
