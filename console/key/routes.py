"""API keys of an organization."""

from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response

from console import lists
from console.forms import FormState, blank, read_form
from console.key import view
from console.routing import COMMAND, tenant
from console.settings.view import tabs
from console.visit import ShowAgain, Visit
from domain.common.access import Permission

_PATH = "/api-keys"


def _listed(visit: Visit) -> str:
    return f"{visit.base}/settings/keys"


async def show(visit: Visit) -> Response:
    found = await lists.find(visit, _PATH, *view.FILTERS)
    manages = visit.may(Permission.MANAGE_KEYS)
    page = view.page(
        found,
        await visit.naming(found.rows, "agent_id", "department_id", "project_id"),
        tabs(visit, "/settings/keys"),
        revocable=view.revocable_by(visit.me.role) if manages else (),
        issue=f"{_listed(visit)}/new" if manages else "",
        now=datetime.now(UTC),
        attributes=visit.may(Permission.MANAGE_SPENDING) and bool(visit.org_id),
    )
    return await visit.render("key/list.html", page, found.status)


#: The permissions that the form can give to a key of an agent, each a box of its own.
_ADDED = (Permission.READ_BILLING.value, Permission.ACCEPT.value, Permission.REFUND.value)


async def ask_to_issue(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.MANAGE_KEYS)
    shown = form or blank(role="member")
    agents = await lists.choice(visit, "agents", shown.value("agent_id"), organization_id=visit.org_id)
    page = view.issue(shown, view.grantable_by(visit.me.role), agents, _listed(visit))
    return await visit.render("key/issue.html", page, status)


async def issue(visit: Visit) -> Response:
    """Issue a key; its secret is on the page that answers, and nowhere else."""
    form = await read_form(visit.request, "principal", "role", "agent_id", *_ADDED, "expires_at")
    body: dict[str, Any] = {"principal": form.text("principal"), "role": form.text("role"), **visit.scope}
    if form.maybe("agent_id"):
        body["agent_id"] = form.text("agent_id")
    if added := [name for name in _ADDED if form.maybe(name)]:
        body["permissions"] = added
    if form.maybe("expires_at"):
        body["expires_at"] = lists.bound_of(form.text("expires_at"), visit.choices.zone or "UTC")
    answer = await visit.command("POST", _PATH, body, form.key)
    if answer.ok:
        page = view.issued(answer.body, visit.choices.prefs, _listed(visit))
        return await visit.render("key/issued.html", page, secret=True)
    return await visit.refused(form, answer, ask_to_issue, {"permissions": "read_billing"})


async def ask_to_revoke(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.MANAGE_KEYS)
    page = view.revoking(await lists.row_of(visit, _PATH), form or blank(), visit.choices.prefs, _listed(visit))
    return await visit.render("parts/confirmation.html", page, status)


async def revoke(visit: Visit) -> Response:
    return await revoke_at(visit, _listed(visit), ask_to_revoke)


async def revoke_at(visit: Visit, listed: str, show: ShowAgain) -> Response:
    """Revoke the key of the address, and offer to revoke what it issued; for organizations and for the platform."""
    form = await read_form(visit.request, "with_issued")
    query = {"with_issued": "true"} if form.maybe("with_issued") else None
    answer = await visit.command("DELETE", f"{_PATH}/{visit.path('id')}", key=form.key, query=query)
    if answer.ok and answer.body["issued"]:
        url = visit.request.url
        page = view.revoking_issued(answer.body["issued"], f"{url.path}?{url.query}", listed)
        return await visit.render("parts/confirmation.html", page)
    return await visit.concluded(form, answer, listed, "key.revoked", show=show)


ROUTES = (
    tenant("/settings/keys", show),
    tenant("/settings/keys.csv", lists.file(_PATH, "api-keys", *view.FILTERS)),
    tenant("/settings/keys/new", ask_to_issue),
    tenant("/settings/keys/new", issue, COMMAND),
    tenant("/settings/keys/{id}/revoke", ask_to_revoke),
    tenant("/settings/keys/{id}/revoke", revoke, COMMAND),
)
