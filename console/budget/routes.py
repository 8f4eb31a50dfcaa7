"""Budgets: opened, changed, frozen, moved between pools and opened for emergencies, with what is left of them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response

from console import lists
from console.budget import terms, view
from console.forms import Shown, blank, read_form
from console.routing import COMMAND, tenant
from console.visit import Visit
from domain.common.access import Permission
from domain.common.money import CREDIT

_PATH = "/budgets"
#: So many spends, refusals and versions a budget's page lists.
_LATEST = 20
#: Whom a budget can be for, by name: the kind, and the list of the API.
_SUBJECTS: tuple[tuple[str, str, Mapping[str, str]], ...] = (
    ("project", "projects", {}),
    ("agent", "agents", {}),
    ("department", "departments", {"open": "true"}),
    ("key", "api-keys", {"active": "true"}),
)


def _listed(visit: Visit) -> str:
    return f"{visit.base}/budgets"


def _own(visit: Visit) -> str:
    return f"{_PATH}/{visit.path('id')}"


def _here(visit: Visit) -> str:
    return f"{_listed(visit)}/{visit.path('id')}"


def _open(visit: Visit) -> dict[str, str]:
    return {} if visit.chosen("open") else {"open": "true"}


async def show(visit: Visit) -> Response:
    """Show the budgets that the address asks for, the open ones where it says nothing."""
    found = await lists.find(visit, _PATH, *view.FILTERS, days=False, fixed=_open(visit))
    create = f"{_listed(visit)}/new" if visit.may(Permission.MANAGE_SPENDING) else ""
    return await visit.render("budget/list.html", view.page(found, visit.choices.prefs, create), found.status)


async def download(visit: Visit) -> Response:
    """Answer with all of them as CSV."""
    return await lists.csv(visit, _PATH, "budgets", *view.FILTERS, days=False, **_open(visit))


async def _found(visit: Visit) -> Mapping[str, Any]:
    return visit.theirs((await visit.ask(_own(visit))).need())


async def show_one(visit: Visit, form: Shown | None = None, status: int = 200) -> Response:
    """Show one budget: what is left of each pool, what counts in it, what it refused, and who changed it."""
    answers = await visit.ask_all(
        budget=(_own(visit), {}),
        spends=(f"{_own(visit)}/spends", {"limit": _LATEST}),
        refusals=(f"{_own(visit)}/refusals", {"limit": _LATEST}),
        versions=(f"{_own(visit)}/versions", {"limit": _LATEST}),
    )
    visit.theirs(answers["budget"].need())
    named = [each for name in ("spends", "refusals") if answers[name].ok for each in answers[name].body["data"]]
    page = view.one(
        answers,
        form or blank(),
        await visit.naming([answers["budget"].body, *named], "id", "agent_id", "subject", "parent_id"),
        _listed(visit),
        may_change=visit.may(Permission.MANAGE_SPENDING),
        may_move=visit.may(Permission.MANAGE_BILLING),
    )
    return await visit.render("budget/page.html", page, status)


async def ask_to_create(visit: Visit, form: Shown | None = None, status: int = 200) -> Response:
    """Show the form that opens a budget."""
    visit.need(Permission.MANAGE_SPENDING)
    zone = visit.choices.zone or "UTC"
    asked = {"currency": CREDIT, "time_zone": zone, "thresholds": terms.THRESHOLDS, **visit.chosen("subject")}
    shown = form or blank(**asked)
    chosen = shown.value("subject").rpartition(":")[2]
    choices = {
        kind: await lists.choice(visit, noun, chosen, organization_id=visit.org_id, **only)
        for kind, noun, only in _SUBJECTS
    }
    return await visit.render("budget/set.html", view.create(shown, choices, _listed(visit)), status)


async def create(visit: Visit) -> Response:
    """Open a budget for whom there is none."""
    form = await read_form(visit.request, "subject", "subject_id", "currency", "time_zone", *terms.FIELDS)
    body = terms.allowed(form) | {
        "subject": terms.subject(form),
        "currency": form.text("currency"),
        "time_zone": form.text("time_zone"),
        **visit.scope,
    }
    answer = await visit.order("POST", _PATH, body, form.key)
    if answer.ok:
        return visit.done(f"{_listed(visit)}/{answer.body['id']}", "budget.set", answer)
    return await visit.refused(form, answer, ask_to_create, terms.names(form))


async def ask_to_change(visit: Visit, form: Shown | None = None, status: int = 200) -> Response:
    """Show the form that changes a budget, with what it allows now."""
    visit.need(Permission.MANAGE_SPENDING)
    budget = await _found(visit)
    page = view.change(budget, form or blank(**terms.typed(budget)), _listed(visit))
    return await visit.render("budget/set.html", page, status)


async def change(visit: Visit) -> Response:
    """Replace what a budget allows, of the version that was shown."""
    form = await read_form(visit.request, *terms.KEPT, *terms.FIELDS)
    body = terms.allowed(form) | {name: form.maybe(name) for name in ("starts_at", "ends_at", "parent_id")}
    body["version"] = terms.version(form)
    answer = await visit.order("PUT", _own(visit), body, form.key)
    return await visit.concluded(
        form, answer, _here(visit), "budget.changed", show=ask_to_change, names=terms.names(form)
    )


async def ask_to_freeze(visit: Visit, form: Shown | None = None, status: int = 200) -> Response:
    """Ask before everything below a budget is refused."""
    visit.need(Permission.MANAGE_SPENDING)
    page = view.freezing(await _found(visit), form or blank(), _listed(visit))
    return await visit.render("parts/asking.html", page, status)


async def ask_to_close(visit: Visit, form: Shown | None = None, status: int = 200) -> Response:
    """Ask before a budget is ended."""
    visit.need(Permission.MANAGE_SPENDING)
    page = view.closing(await _found(visit), form or blank(), _listed(visit))
    return await visit.render("parts/asking.html", page, status)


async def freeze(visit: Visit) -> Response:
    """Refuse everything that is spent below a budget."""
    form = await read_form(visit.request, "version")
    answer = await visit.order("POST", f"{_own(visit)}/freeze", {"version": terms.version(form)}, form.key)
    return await visit.concluded(form, answer, _here(visit), "budget.frozen", show=ask_to_freeze)


async def unfreeze(visit: Visit) -> Response:
    """Allow spending below a budget again."""
    form = await read_form(visit.request)
    answer = await visit.order("POST", f"{_own(visit)}/unfreeze", {}, form.key)
    return await visit.concluded(form, answer, _here(visit), "budget.unfrozen", show=show_one)


async def close(visit: Visit) -> Response:
    """End a budget."""
    form = await read_form(visit.request, "version")
    answer = await visit.order("POST", f"{_own(visit)}/close", {"version": terms.version(form)}, form.key)
    return await visit.concluded(form, answer, _here(visit), "budget.closed", show=ask_to_close)


async def ask_to_move(visit: Visit, form: Shown | None = None, status: int = 200) -> Response:
    """Show the form that moves an amount from one pool into another."""
    visit.need(Permission.MANAGE_BILLING)
    page = view.moving(await _found(visit), form or blank(**{"from": "reserve", "to": "operating"}), _listed(visit))
    return await visit.render("budget/act.html", page, status)


async def move(visit: Visit) -> Response:
    """Move an amount from one pool into another."""
    form = await read_form(visit.request, "from", "to", "amount", "reason")
    body = {name: form.text(name) for name in ("from", "to", "reason")} | {"amount": form.number("amount")}
    answer = await visit.order("POST", f"{_own(visit)}/pools/move", body, form.key)
    return await visit.concluded(form, answer, _here(visit), "budget.moved", show=ask_to_move)


async def ask_to_declare(visit: Visit, form: Shown | None = None, status: int = 200) -> Response:
    """Show the form that declares an emergency."""
    visit.need(Permission.MANAGE_BILLING)
    page = view.declaring(await _found(visit), form or blank(lasts="4"), _listed(visit))
    return await visit.render("budget/act.html", page, status)


async def declare(visit: Visit) -> Response:
    """Declare an emergency, or confirm the one whose reason and end the page shows."""
    form = await read_form(visit.request, "reason", "lasts", "until")
    until = form.maybe("until") or view.until(datetime.now(UTC), form.text("lasts"))
    body = {"reason": form.text("reason"), "until": until}
    answer = await visit.order("POST", f"{_own(visit)}/emergency", body, form.key)
    return await visit.concluded(
        form, answer, _here(visit), "budget.emergency", show=ask_to_declare, names={"until": "lasts"}
    )


async def end(visit: Visit) -> Response:
    """End an emergency, or withdraw what waits for a second person."""
    form = await read_form(visit.request)
    answer = await visit.order("POST", f"{_own(visit)}/emergency/end", {}, form.key)
    return await visit.concluded(form, answer, _here(visit), "budget.emergency_ended", show=show_one)


ROUTES = (
    tenant("/budgets", show),
    tenant("/budgets.csv", download),
    tenant("/budgets/new", ask_to_create),
    tenant("/budgets/new", create, COMMAND),
    tenant("/budgets/{id}", show_one),
    tenant("/budgets/{id}/change", ask_to_change),
    tenant("/budgets/{id}/change", change, COMMAND),
    tenant("/budgets/{id}/freeze", ask_to_freeze),
    tenant("/budgets/{id}/freeze", freeze, COMMAND),
    tenant("/budgets/{id}/unfreeze", unfreeze, COMMAND),
    tenant("/budgets/{id}/close", ask_to_close),
    tenant("/budgets/{id}/close", close, COMMAND),
    tenant("/budgets/{id}/move", ask_to_move),
    tenant("/budgets/{id}/move", move, COMMAND),
    tenant("/budgets/{id}/emergency", ask_to_declare),
    tenant("/budgets/{id}/emergency", declare, COMMAND),
    tenant("/budgets/{id}/emergency/end", end, COMMAND),
)
