"""The departments of an organization: listed, created, closed; and for what keys spend."""

from starlette.responses import Response

from console import lists
from console.department import view
from console.forms import FormState, blank, read_form
from console.gateway import Query
from console.routing import COMMAND, tenant
from console.visit import Visit
from domain.common.access import Permission

_PATH, _KEYS = "/departments", "/api-keys"
#: So many limits are looked through for those of departments.
_LIMITS = 200


def _listed(visit: Visit) -> str:
    return f"{visit.base}/departments"


def _keys(visit: Visit) -> str:
    return f"{visit.base}/settings/keys"


async def show(visit: Visit) -> Response:
    limits: Query = {"subject_type": "department", "open": "true", "limit": _LIMITS, **visit.scope}
    found = await lists.find(visit, _PATH, *view.FILTERS, days=False, extra={"limits": ("/spend-controls", limits)})
    ids = sorted({each for row in found.rows for each in row["path"]})
    known = {row["id"]: row["name"] for row in found.rows}
    if (others := [each for each in ids if each not in known]) and visit.may(Permission.READ_BILLING):
        answer = await visit.ask("/names", ids=others[:_LIMITS])
        known |= answer.body["names"] if answer.ok else {}
    may = visit.may(Permission.MANAGE_SPENDING)
    page = view.page(found, known, found.extra["limits"], visit.choices.prefs, visit.base, may_manage=may)
    return await visit.render("department/list.html", page, found.status)


async def ask_to_create(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.MANAGE_SPENDING)
    shown = form or blank()
    parents = await lists.choice(
        visit, "departments", shown.value("parent_id"), organization_id=visit.org_id, open="true"
    )
    return await visit.render("department/create.html", view.create(shown, parents, _listed(visit)), status)


async def create(visit: Visit) -> Response:
    form = await read_form(visit.request, "name", "parent_id")
    body = {"name": form.text("name"), "parent_id": form.maybe("parent_id"), **visit.scope}
    answer = await visit.command("POST", _PATH, body, form.key)
    return await visit.concluded(form, answer, _listed(visit), "department.created", show=ask_to_create)


async def ask_to_close(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.MANAGE_SPENDING)
    department = visit.owned((await visit.ask(f"{_PATH}/{visit.path('id')}")).need())
    page = view.closing(department, form or blank(), _listed(visit))
    return await visit.render("parts/confirmation.html", page, status)


async def close(visit: Visit) -> Response:
    form = await read_form(visit.request)
    answer = await visit.command("POST", f"{_PATH}/{visit.path('id')}/close", {}, form.key)
    return await visit.concluded(form, answer, _listed(visit), "department.closed", show=ask_to_close)


async def ask_to_attribute(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.MANAGE_SPENDING)
    key = await lists.row_of(visit, _KEYS)
    shown = form or blank(department_id=key["department_id"] or "", project_id=key["project_id"] or "")
    departments = await lists.choice(visit, "departments", shown.value("department_id"), organization_id=visit.org_id)
    projects = await lists.choice(visit, "projects", shown.value("project_id"), organization_id=visit.org_id)
    page = view.spends_for(key, shown, departments, projects, _keys(visit))
    return await visit.render("department/spends_for.html", page, status)


async def attribute(visit: Visit) -> Response:
    form = await read_form(visit.request, "department_id", "project_id")
    body = {name: form.maybe(name) for name in ("department_id", "project_id")}
    answer = await visit.command("PUT", f"{_KEYS}/{visit.path('id')}/attribution", body, form.key)
    return await visit.concluded(form, answer, _keys(visit), "key.attributed", show=ask_to_attribute)


ROUTES = (
    tenant("/departments", show),
    tenant("/departments.csv", lists.file(_PATH, "departments", *view.FILTERS, days=False)),
    tenant("/departments/new", ask_to_create),
    tenant("/departments/new", create, COMMAND),
    tenant("/departments/{id}/close", ask_to_close),
    tenant("/departments/{id}/close", close, COMMAND),
    tenant("/settings/keys/{id}/spends-for", ask_to_attribute),
    tenant("/settings/keys/{id}/spends-for", attribute, COMMAND),
)
