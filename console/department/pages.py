"""The departments of an organization: listed, created, closed; and for what keys spend."""

from console import lists
from console.gateway import Wanted
from console.lists import ListResult
from console.noun import Json, Noun
from console.noun_page import search, tab
from console.texts import N_
from console.visit import Visit
from domain.common.access import Permission

_LIMITS = "/spend-controls"


def _query(visit: Visit) -> dict[str, str]:
    return {"subject_type": "department", "open": "true", **visit.scope}


def limits(visit: Visit) -> dict[str, Wanted]:
    return {"limits": (_LIMITS, {**_query(visit), "limit": 200})}


async def of_list(visit: Visit, found: ListResult) -> Json:
    answer = await lists.whole(visit, _LIMITS, found.extra["limits"], **_query(visit))
    naming = await visit.naming(found.rows, "path")
    names = {**{row["id"]: row["name"] for row in found.rows}, **naming.names}
    return {
        "names": names,
        "limits": {row["subject"]["id"]: row["id"] for row in answer.body["data"]} if answer.ok else None,
    }


DEPARTMENTS = Noun(
    "/departments",
    title=N_("Departments"),
    folder="department",
    above=((N_("Limits"), "/limits"),),
    change=Permission.MANAGE_SPENDING,
)
DEPARTMENTS.list(
    tab("open"),
    search(N_("Name")),
    tabs=(("", N_("All")), ("true", N_("Open"))),
    extra=limits,
    values=of_list,
)
DEPARTMENTS.form(
    "new",
    "department.created",
    *("name", "parent_id"),
    title=N_("Create department"),
    lead=N_("Then choose under Keys which keys spend for it."),
    sources={"parent_id": ("departments", {"open": "true"})},
)
DEPARTMENTS.question(
    "close",
    "department.closed",
    title=N_("Close %(name)s?"),
    label=N_("Close department"),
    effect=(
        N_("No more spending can be assigned to it. Past spending stays in the totals."),
        N_("This cannot be undone. Move its sub-departments and agents first."),
    ),
    body={},
)
KEYS = Noun(
    "/api-keys",
    title=N_("API keys"),
    folder="department",
    at="/settings/keys",
    name="principal",
    change=Permission.MANAGE_SPENDING,
    in_list=True,
)
KEYS.form(
    "spends-for",
    "key.attributed",
    *("department_id", "project_id"),
    title=N_("Assign spending of %(principal)s"),
    label=N_("Save"),
    lead=N_("Applies to all keys of this principal, from the next charge on."),
    initial=lambda it: {name: it[name] or "" for name in ("department_id", "project_id")},
    sources={"department_id": ("departments", {}), "project_id": ("projects", {})},
    method="PUT",
    path="/attribution",
)
ROUTES = (*DEPARTMENTS.routes, *KEYS.routes)
