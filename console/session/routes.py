"""Sessions of an organization, and the links that open them."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import RedirectResponse, Response

from console import lists
from console.forms import FormState, blank, read_form
from console.gateway import Refused
from console.key.view import grantable_by, revocable_by
from console.refusals import forbidden
from console.routing import COMMAND, tenant
from console.session import view
from console.settings.view import tabs
from console.visit import Visit
from domain.common.access import Permission, Role

_SESSIONS, _LINKS = "/sessions", "/sessions/links"


def _at(visit: Visit, path: str) -> str:
    return visit.base + path


def _endable(visit: Visit) -> frozenset[Role]:
    return revocable_by(visit.me.role) if visit.may(Permission.MANAGE_KEYS) else frozenset()


async def show(visit: Visit) -> Response:
    """Show the sessions that go on: one's own, and of the organization for those who manage it."""
    found = await lists.find(visit, _SESSIONS, *view.FILTERS)
    page = view.page(
        found,
        visit.choices.prefs,
        tabs(visit, "/settings/sessions"),
        principal=visit.me.principal,
        endable=_endable(visit),
    )
    return await visit.render("session/list.html", page, found.status)


def _need_to_end(visit: Visit, found: Mapping[str, Any]) -> None:
    """Refuse a page about a session or link of a role whose sessions the principal may not end, as the API would."""
    if found["role"] not in _endable(visit):
        raise Refused(forbidden(visit.request))


async def ask_to_end(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    """Ask before a session is ended; sessions of roles whose keys the principal may not revoke are refused."""
    found = await lists.row_of(visit, _SESSIONS)
    if found["principal"] != visit.me.principal:
        _need_to_end(visit, found)
    page = view.ending(found, form or blank(), visit.choices.prefs, _at(visit, "/settings/sessions"))
    return await visit.render("parts/confirmation.html", page, status)


async def end(visit: Visit) -> Response:
    """End a session; ending one's own signs out."""
    form = await read_form(visit.request)
    answer = await visit.command("DELETE", f"{_SESSIONS}/{visit.path('id')}", key=form.key)
    if not answer.ok:
        return await visit.refused(form, answer, ask_to_end)
    if visit.path("id") == visit.me.session_id:
        return RedirectResponse("/console/sign-in?notice=session.signed_out", 303)
    return visit.done(_at(visit, "/settings/sessions"), "session.closed", answer)


async def show_links(visit: Visit) -> Response:
    found = await lists.find(visit, _LINKS, *view.FILTERS)
    shown = view.links(found, visit.choices.prefs, tabs(visit, "/settings/links"), _endable(visit))
    return await visit.render("session/links.html", shown, found.status)


async def ask_to_make(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.MANAGE_KEYS)
    shown = form or blank(role="member", expires_in="PT15M", path=visit.base)
    page = view.make(shown, grantable_by(visit.me.role), _at(visit, "/settings/links"), visit.base)
    return await visit.render("session/make.html", page, status)


async def make(visit: Visit) -> Response:
    """Make a link; its address is on the page that answers, and nowhere else."""
    form = await read_form(visit.request, "principal", "role", "path", "return_url", "expires_in")
    body: dict[str, Any] = {name: form.text(name) for name in ("principal", "role", "expires_in")} | visit.scope
    body |= {name: form.text(name) for name in ("path", "return_url") if form.maybe(name)}
    answer = await visit.command("POST", _LINKS, body, form.key)
    if answer.ok:
        page = view.made(answer.body, visit.choices.prefs, _at(visit, "/settings/links"))
        return await visit.render("session/made.html", page, secret=True)
    return await visit.refused(form, answer, ask_to_make)


async def ask_to_end_link(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    found = await lists.row_of(visit, _LINKS)
    _need_to_end(visit, found)
    page = view.ending_link(found, form or blank(), visit.choices.prefs, _at(visit, "/settings/links"))
    return await visit.render("parts/confirmation.html", page, status)


async def end_link(visit: Visit) -> Response:
    form = await read_form(visit.request)
    answer = await visit.command("DELETE", f"{_LINKS}/{visit.path('id')}", key=form.key)
    return await visit.concluded(form, answer, _at(visit, "/settings/links"), "link.ended", show=ask_to_end_link)


ROUTES = (
    tenant("/settings/sessions", show),
    tenant("/settings/sessions.csv", lists.file(_SESSIONS, "sessions", *view.FILTERS)),
    tenant("/settings/links.csv", lists.file(_LINKS, "links", *view.FILTERS)),
    tenant("/settings/sessions/{id}/end", ask_to_end),
    tenant("/settings/sessions/{id}/end", end, COMMAND),
    tenant("/settings/links", show_links),
    tenant("/settings/links/new", ask_to_make),
    tenant("/settings/links/new", make, COMMAND),
    tenant("/settings/links/{id}/end", ask_to_end_link),
    tenant("/settings/links/{id}/end", end_link, COMMAND),
)
