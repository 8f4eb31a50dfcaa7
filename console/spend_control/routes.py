"""Spend controls: set, changed, frozen and closed, with what is left of them and what they refused."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import RedirectResponse, Response

from console import lists
from console.forms import Form, Shown, blank, read_form
from console.routing import COMMAND, tenant
from console.spend_control import terms, view
from console.visit import Visit
from domain.common.access import Permission
from domain.common.money import CREDIT

_PATH = "/spend-controls"
#: So many spends, refusals and versions a limit's page lists.
_LATEST = 20


def _listed(visit: Visit) -> str:
    return f"{visit.base}/limits"


def _own(visit: Visit) -> str:
    return f"{_PATH}/{visit.path('id')}"


def _open(visit: Visit) -> dict[str, str]:
    return {} if visit.chosen("open") else {"open": "true"}


async def show(visit: Visit) -> Response:
    """Show the limits that the address asks for, the open ones where it says nothing."""
    found = await lists.find(visit, _PATH, *view.FILTERS, days=False, fixed=_open(visit))
    create = f"{_listed(visit)}/new" if visit.may(Permission.MANAGE_SPENDING) else ""
    return await visit.render("spend_control/list.html", view.page(found, visit.choices.prefs, create), found.status)


async def download(visit: Visit) -> Response:
    """Answer with all of them as CSV."""
    return await lists.csv(visit, _PATH, "limits", *view.FILTERS, days=False, **_open(visit))


async def _found(visit: Visit) -> Mapping[str, Any]:
    return visit.theirs((await visit.ask(_own(visit))).need())


async def show_one(visit: Visit, form: Shown | None = None, status: int = 200) -> Response:
    """Show one limit: what is left of it, what counts in it, what it refused, and who changed it."""
    answers = await visit.ask_all(
        control=(_own(visit), {}),
        spends=(f"{_own(visit)}/spends", {"limit": _LATEST}),
        refusals=(f"{_own(visit)}/refusals", {"limit": _LATEST}),
        versions=(f"{_own(visit)}/versions", {"limit": _LATEST}),
    )
    if answers["control"].status == 404 and (await visit.ask(f"/budgets/{visit.path('id')}")).ok:
        # What names a control by its id does not say of which kind it is.
        return RedirectResponse(f"{visit.base}/budgets/{visit.path('id')}", 303)
    visit.theirs(answers["control"].need())
    named = [each for name in ("spends", "refusals") if answers[name].ok for each in answers[name].body["data"]]
    page = view.one(
        answers,
        form or blank(),
        await visit.naming([answers["control"].body, *named], "id", "parent_id", "agent_id"),
        _listed(visit),
        may_change=visit.may(Permission.MANAGE_SPENDING),
    )
    return await visit.render("spend_control/page.html", page, status)


#: Whom a limit can be for, by name: the kind, and the list of the API.
_SUBJECTS: tuple[tuple[str, str, Mapping[str, str]], ...] = (
    ("department", "departments", {"open": "true"}),
    ("agent", "agents", {}),
    ("project", "projects", {}),
    ("key", "api-keys", {"active": "true"}),
)


async def ask_to_create(visit: Visit, form: Shown | None = None, status: int = 200) -> Response:
    """Show the form that sets a limit."""
    visit.need(Permission.MANAGE_SPENDING)
    zone = visit.choices.zone or "UTC"
    asked = {"currency": CREDIT, "time_zone": zone, "thresholds": terms.THRESHOLDS, **visit.chosen("subject")}
    shown = form or blank(**asked)
    chosen = shown.value("subject").rpartition(":")[2]
    choices = {
        kind: await lists.choice(visit, noun, chosen, organization_id=visit.org_id, **only)
        for kind, noun, only in _SUBJECTS
    }
    return await visit.render("spend_control/set.html", view.create(shown, choices, _listed(visit)), status)


async def create(visit: Visit) -> Response:
    """Set a limit for whom there is none."""
    form = await read_form(visit.request, "subject", "subject_id", "currency", "time_zone", *terms.FIELDS)
    body = terms.allowance(form) | {
        "subject": terms.subject(form),
        "currency": form.text("currency"),
        "time_zone": form.text("time_zone"),
        **visit.scope,
    }
    answer = await visit.order("POST", _PATH, body, form.key)
    if answer.ok:
        return visit.done(f"{_listed(visit)}/{answer.body['id']}", "limit.set", answer)
    return await visit.refused(form, answer, ask_to_create, terms.names(form))


async def ask_to_change(visit: Visit, form: Shown | None = None, status: int = 200) -> Response:
    """Show the form that changes a limit, with what it allows now."""
    visit.need(Permission.MANAGE_SPENDING)
    control = await _found(visit)
    page = view.change(control, form or blank(**terms.typed(control)), _listed(visit))
    return await visit.render("spend_control/set.html", page, status)


async def change(visit: Visit) -> Response:
    """Replace what a limit allows, of the version that was shown."""
    form = await read_form(visit.request, *terms.KEPT, *terms.FIELDS)
    body = terms.allowance(form) | {name: form.maybe(name) for name in ("starts_at", "ends_at", "parent_id")}
    body["version"] = terms.version(form)
    answer = await visit.order("PUT", _own(visit), body, form.key)
    return await visit.concluded(
        form,
        answer,
        f"{_listed(visit)}/{visit.path('id')}",
        "limit.changed",
        show=ask_to_change,
        names=terms.names(form),
    )


async def ask_to_freeze(visit: Visit, form: Shown | None = None, status: int = 200) -> Response:
    """Ask before everything under a limit is refused."""
    visit.need(Permission.MANAGE_SPENDING)
    page = view.freezing(await _found(visit), form or blank(), _listed(visit))
    return await visit.render("parts/asking.html", page, status)


async def ask_to_close(visit: Visit, form: Shown | None = None, status: int = 200) -> Response:
    """Ask before a limit is ended."""
    visit.need(Permission.MANAGE_SPENDING)
    page = view.closing(await _found(visit), form or blank(), _listed(visit))
    return await visit.render("parts/asking.html", page, status)


def _set(form: Form) -> dict[str, Any]:
    return {"version": terms.version(form)}


async def freeze(visit: Visit) -> Response:
    """Refuse everything that is spent under a limit."""
    form = await read_form(visit.request, "version")
    answer = await visit.order("POST", f"{_own(visit)}/freeze", _set(form), form.key)
    return await visit.concluded(
        form, answer, f"{_listed(visit)}/{visit.path('id')}", "limit.frozen", show=ask_to_freeze
    )


async def unfreeze(visit: Visit) -> Response:
    """Allow spending under a limit again."""
    form = await read_form(visit.request)
    answer = await visit.order("POST", f"{_own(visit)}/unfreeze", {}, form.key)
    return await visit.concluded(form, answer, f"{_listed(visit)}/{visit.path('id')}", "limit.unfrozen", show=show_one)


async def close(visit: Visit) -> Response:
    """End a limit."""
    form = await read_form(visit.request, "version")
    answer = await visit.order("POST", f"{_own(visit)}/close", _set(form), form.key)
    return await visit.concluded(
        form, answer, f"{_listed(visit)}/{visit.path('id')}", "limit.closed", show=ask_to_close
    )


ROUTES = (
    tenant("/limits", show),
    tenant("/limits.csv", download),
    tenant("/limits/new", ask_to_create),
    tenant("/limits/new", create, COMMAND),
    tenant("/limits/{id}", show_one),
    tenant("/limits/{id}/change", ask_to_change),
    tenant("/limits/{id}/change", change, COMMAND),
    tenant("/limits/{id}/freeze", ask_to_freeze),
    tenant("/limits/{id}/freeze", freeze, COMMAND),
    tenant("/limits/{id}/unfreeze", unfreeze, COMMAND),
    tenant("/limits/{id}/close", ask_to_close),
    tenant("/limits/{id}/close", close, COMMAND),
)
