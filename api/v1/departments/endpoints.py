"""Departments, and for what agents and keys spend: set by owners and admins, so no spender chooses its limits."""

from functools import partial
from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from api.auth import ActorDep, SpendingKeyDep, permit, require
from api.deps import DepsDep
from api.errors import errors
from api.idempotency import MayRepeat
from api.lists import CREATED, Items, ListEndpoint, ListRequest
from api.routing import Resource
from api.tenancy import acting_organization, listed_organization, refuse_other_agent
from api.v1.departments.schemas import AttributionSet, AttributionView, DepartmentCreate, DepartmentView
from api.v1.spends.own import own_department
from domain.common.access import Actor, Permission, refuse_by_link
from domain.common.errors import ApiKeyRevoked, DepartmentExists, DepartmentInUse, NotFound
from repositories.credits import department as departments
from repositories.marketplace import agent as agents
from repositories.tenants import api_key as keys
from services.credits import department
from services.credits.department import NewDepartment

router = Resource(tags=["departments"])


@router.post(
    "/departments", status_code=201, response_model=DepartmentView, responses=errors(NotFound, DepartmentExists)
)
async def create_department(
    body: DepartmentCreate, deps: DepsDep, *, actor: Actor = require(Permission.MANAGE_SPENDING), command: MayRepeat
) -> Response:
    """Create a department of an organization."""
    org_id = acting_organization(actor, body.organization_id)
    wanted = NewDepartment(org_id=org_id, name=body.name, parent_id=body.parent_id, command_id=command.command_id)
    async with command, deps.database.platform() as session:
        return command.answer(DepartmentView.of(await department.create(session, actor, wanted)))


_LIST = ListEndpoint(
    "departments",
    DepartmentView,
    *(*CREATED, "organization_id", "q"),
    order=["dep"],
    open_only=Annotated[bool, Query(alias="open", description="Exclude closed departments.")],
)


@_LIST.get(router, "/departments", NotFound)
async def list_departments(
    deps: DepsDep, asked: ListRequest, *, key: SpendingKeyDep, actor: Actor = require(Permission.READ)
) -> Items:
    """List departments, newest first. A key that is confined to a department lists that and its parts."""
    wanted = asked.wanted(listed_organization(actor, asked.organization_id), without=["open_only"])
    return await asked.rows(
        deps.session_for(actor),
        partial(departments.page, open_only=bool(asked.get("open_only")), within=own_department(actor, key)),
        wanted,
        DepartmentView.of,
    )


@router.get("/departments/{department_id}")
async def get_department(department_id: str, deps: DepsDep, actor: ActorDep, key: SpendingKeyDep) -> DepartmentView:
    """Read one department. A key that is confined to a department reads that and its parts."""
    own = own_department(actor, key)
    async with deps.session_for(actor) as session:
        row = await departments.get(session, department_id)
        if own is not None and own not in row.path:
            raise NotFound(departments.MISSING)
        permit(actor, Permission.INSPECT if actor.is_platform else Permission.READ)
        return DepartmentView.of(row)


@router.post("/departments/{department_id}/close", responses=errors(DepartmentInUse))
async def close_department(department_id: str, deps: DepsDep, actor: ActorDep) -> DepartmentView:
    """Close a department permanently. Closing it again changes nothing."""
    async with deps.session_for(actor) as session:
        await departments.get(session, department_id)
    permit(actor, Permission.MANAGE_SPENDING)
    async with deps.database.platform() as session:
        return DepartmentView.of(await department.close(session, actor, department_id))


@router.get("/agents/{agent_id}/attribution", tags=["agents"])
async def get_agent_attribution(agent_id: str, deps: DepsDep, actor: ActorDep) -> AttributionView:
    """Show the department and the project for which an agent spends."""
    async with deps.session_for(actor) as session:
        row = await agents.get(session, agent_id)
    if actor.org_id not in {None, row.org_id}:
        raise NotFound(agents.MISSING)
    refuse_other_agent(actor, row.id, agents.MISSING)
    permit(actor, Permission.INSPECT if actor.is_platform else Permission.READ)
    return AttributionView.of(row)


@router.put("/agents/{agent_id}/attribution", tags=["agents"])
async def set_agent_attribution(agent_id: str, body: AttributionSet, deps: DepsDep, actor: ActorDep) -> AttributionView:
    """Set the department and the project for which an agent spends. A key's own attribution takes precedence."""
    async with deps.session_for(actor) as session:
        row = await agents.get(session, agent_id)
    if actor.org_id not in {None, row.org_id}:
        raise NotFound(agents.MISSING)
    permit(actor, Permission.MANAGE_SPENDING)
    async with deps.database.platform() as session:
        return AttributionView.of(await department.attribute_agent(session, actor, agent_id, body.attribution()))


@router.put("/api-keys/{key_id}/attribution", tags=["api_keys"], responses=errors(ApiKeyRevoked))
async def set_key_attribution(key_id: str, body: AttributionSet, deps: DepsDep, actor: ActorDep) -> AttributionView:
    """Set the department and the project for which all keys of a key's principal spend.

    `GET /api-keys` shows them.
    """
    async with deps.session_for(actor) as session:
        await keys.get(session, key_id)
    permit(actor, Permission.MANAGE_SPENDING)
    refuse_by_link(actor, "change keys")
    async with deps.database.platform() as session:
        row, attributed = await department.attribute_key(session, actor, key_id, body.attribution())
    for each in attributed:
        deps.keyring.forget(each)
    return AttributionView.of(row)
