"""The people of an organization: listed, invited by mail, revoked."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from console import lists
from console.forms import FormState, blank, read_form
from console.gateway import Refused
from console.key.view import grantable_by, revocable_by
from console.principal import view
from console.refusals import not_found
from console.routing import COMMAND, tenant
from console.visit import Visit
from domain.common.access import Permission

_PATH = "/principals"


def _listed(visit: Visit) -> str:
    return f"{visit.base}/people"


async def show(visit: Visit) -> Response:
    visit.need(Permission.READ_AUDIT)
    found = await lists.find(visit, _PATH, *view.FILTERS, days=False)
    manages = visit.may(Permission.MANAGE_KEYS)
    page = view.page(
        found,
        visit.choices.prefs,
        visit.base,
        principal="" if visit.me.is_platform else visit.me.principal,
        grantable=grantable_by(visit.me.role) if manages else (),
        revocable=revocable_by(visit.me.role) if manages else (),
    )
    return await visit.render("principal/list.html", page, found.status)


async def download(visit: Visit) -> Response:
    visit.need(Permission.READ_AUDIT)
    return await lists.csv(visit, _PATH, "people", *view.FILTERS, days=False)


async def ask_to_invite(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    """Show the form that invites a person; for another mail, with what the first one had."""
    visit.need(Permission.MANAGE_KEYS)
    shown = form or blank(**{"role": "member", **visit.chosen("email", "role")})
    page = view.invite(shown, grantable_by(visit.me.role), _listed(visit))
    return await visit.render("principal/invite.html", page, status)


async def invite(visit: Visit) -> Response:
    form = await read_form(visit.request, "email", "role")
    body = {"email": form.text("email"), "role": form.text("role"), **visit.scope}
    answer = await visit.command("POST", "/invitations", body, form.key)
    return await visit.concluded(form, answer, _listed(visit), "person.invited", show=ask_to_invite)


async def ask_to_revoke(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.MANAGE_KEYS)
    page = view.revoking(await _person(visit), form or blank(), _listed(visit))
    return await visit.render("parts/confirmation.html", page, status)


async def revoke(visit: Visit) -> Response:
    form = await read_form(visit.request)
    answer = await visit.command("DELETE", f"{_PATH}/{visit.path('id')}", key=form.key, query=visit.scope)
    return await visit.concluded(form, answer, _listed(visit), "person.revoked", show=ask_to_revoke)


async def _person(visit: Visit) -> Mapping[str, Any]:
    name = visit.path("id")
    found = (await visit.ask(_PATH, q=name, limit=lists.ROWS, **visit.scope)).need()["data"]
    person: Mapping[str, Any] | None = next((each for each in found if each["principal"] == name), None)
    if person is None:
        raise Refused(not_found(visit.request))
    return person


ROUTES = (
    tenant("/people", show),
    tenant("/people.csv", download),
    tenant("/people/new", ask_to_invite),
    tenant("/people/new", invite, COMMAND),
    tenant("/people/{id}/revoke", ask_to_revoke),
    tenant("/people/{id}/revoke", revoke, COMMAND),
)
