"""Organizations: the list, creating one, and what operators do with one."""

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import Response

from console import lists
from console.forms import FormState, again, blank, read_form, with_summary
from console.gateway import Wanted
from console.platform.desk import operators, shown_to
from console.platform.organization import view
from console.platform.organization.view import FILTERS, PLACE
from console.problems import Reaction, reaction_to
from console.routing import COMMAND, platform
from console.visit import Visit
from console.widgets import Link
from domain.common.access import Permission

_PLANS: Wanted = ("/billing/plans", {})
#: Its own pages that operators go on to, where they exist.
_PAGES = (
    ("", "Home"),
    ("/escrows", "Escrows"),
    ("/payments", "Payments"),
    ("/invoices", "Invoices"),
    ("/transactions", "Activity"),
    ("/agents", "Agents"),
    ("/usage", "Usage"),
    ("/limits", "Limits"),
    ("/settings/audit", "Audit trail"),
)


async def show(visit: Visit) -> Response:
    plans = await visit.ask(_PLANS[0])
    names = {each["id"]: each["name"] for each in plans.body["data"]} if plans.ok else {}
    found = await lists.find(visit, "/organizations", *FILTERS, choices={"tier": names})
    new_href = f"{PLACE}/new" if visit.may(Permission.MANAGE_ORGANIZATIONS) else ""
    page = view.several(found, visit.choices.prefs, new_href)
    return await visit.render("platform/organization/list.html", page, found.status)


async def show_new(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    plans = await visit.ask(_PLANS[0])
    return await visit.render("platform/organization/new.html", view.new(form or blank(tier="free"), plans), status)


async def create(visit: Visit) -> Response:
    form = await read_form(visit.request, "name", "tier", "external_id")
    body = {name: form.text(name) for name in ("name", "tier", "external_id") if form.text(name)}
    answer = await visit.command("POST", "/organizations", body, form.key)
    if answer.ok:
        return visit.done(f"{PLACE}/{answer.body['id']}", "organization.created", answer)
    return await visit.refused(form, answer, show_new)


async def show_one(visit: Visit) -> Response:
    return await _one(visit, {}, 200)


async def change_tier(visit: Visit) -> Response:
    return await _act(visit, "tier", "PUT", "organization.tier", "tier")


async def suspend(visit: Visit) -> Response:
    return await _act(visit, "suspend", "POST", "organization.suspended", "reason", "timed_exits")


async def resume(visit: Visit) -> Response:
    return await _act(visit, "resume", "POST", "organization.resumed")


async def close(visit: Visit) -> Response:
    return await _act(visit, "close", "POST", "organization.closed", "closing_reason")


async def _act(visit: Visit, name: str, method: str, notice: str, *fields: str) -> Response:
    org_id = visit.path("id")
    form = await read_form(visit.request, *fields)
    names = {field.removeprefix("closing_"): field for field in fields}
    given = {sent: form.maybe(field) for sent, field in names.items()}
    body = {sent: value for sent, value in given.items() if value is not None} if fields else None
    answer = await visit.command(method, f"/organizations/{org_id}/{name}", body, form.key)
    if answer.ok:
        return visit.done(f"{PLACE}/{org_id}", notice, answer)
    problem = answer.problem
    left: Sequence[Mapping[str, Any]] = problem.more.get("left", ()) if problem is not None else ()
    if problem is not None and left and reaction_to(problem) is Reaction.CHANGED:
        return await _one(visit, {name: with_summary(again(form, answer), problem.detail)}, 409, left)

    async def show_again(visit: Visit, shown: FormState, status: int) -> Response:
        return await _one(visit, {name: shown}, status)

    return await visit.refused(form, answer, show_again, names)


async def _one(
    visit: Visit, forms: Mapping[str, FormState], status: int, left: Sequence[Mapping[str, Any]] = ()
) -> Response:
    org_id = visit.path("id")
    answers = await visit.ask_all(
        organization=(f"/organizations/{org_id}", {}),
        summary=("/billing/summary", {"organization_id": org_id}),
        plans=_PLANS,
    )
    base = f"/console/{org_id}"
    page = view.one(
        answers["organization"].need(),
        answers["summary"],
        answers["plans"],
        forms,
        left,
        tuple(Link(label=label, href=base + path) for path, label in _PAGES if visit.has_page(base + path)),
        visit.choices.prefs,
        commands=visit.may(Permission.MANAGE_ORGANIZATIONS),
    )
    return await visit.render("platform/organization/page.html", page, status)


ROUTES = (
    operators("/organizations", show),
    operators("/organizations.csv", lists.file("/organizations", "organizations", *FILTERS)),
    shown_to(Permission.MANAGE_ORGANIZATIONS, "/organizations/new", show_new),
    platform("/organizations/new", create, COMMAND),
    operators("/organizations/{id}", show_one),
    platform("/organizations/{id}/tier", change_tier, COMMAND),
    platform("/organizations/{id}/suspend", suspend, COMMAND),
    platform("/organizations/{id}/resume", resume, COMMAND),
    platform("/organizations/{id}/close", close, COMMAND),
)
