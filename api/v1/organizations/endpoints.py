"""Organizations: operators create them, a tenant sees its own."""

from fastapi import APIRouter
from starlette.responses import Response

from api.auth import ActorDep, require
from api.deps import DepsDep
from api.errors import errors
from api.fields import Page
from api.idempotency import Command, idempotency
from api.pagination import CursorParam, LimitParam, id_cursor, id_page
from api.v1.customers.registration import begin_customer
from api.v1.organizations.schemas import OrganizationCreate, OrganizationView
from domain.access import Actor, Permission
from domain.errors import NotFound
from models.organization import Organization
from repositories import audit
from repositories import organization as organizations
from runtime.identity import new_id

router = APIRouter(tags=["organizations"])


@router.post(
    "/organizations",
    status_code=201,
    response_model=OrganizationView,
)
async def create_organization(
    body: OrganizationCreate,
    deps: DepsDep,
    actor: Actor = require(Permission.MANAGE_ORGANIZATIONS),
    command: Command = idempotency(required=False),
) -> Response:
    """Create a tenant. For operators."""

    async def create() -> OrganizationView:
        organization = Organization(
            id=new_id("org"), name=body.name, created_by=actor.qualified(), command_id=command.command_id
        )
        async with deps.session_for(actor) as session:
            row, is_new = await organizations.add(session, organization)
            if is_new:
                await audit.record(session, actor, "organization.create", row.id, {"name": row.name}, row.id)
        if is_new:
            begin_customer(deps, row.id, row.name)
        return OrganizationView.of(row)

    return await command.run(create, status_code=201)


@router.get("/organizations", response_model=Page[OrganizationView])
async def list_organizations(
    deps: DepsDep,
    limit: LimitParam = 50,
    cursor: CursorParam = None,
    actor: Actor = require(Permission.READ),
) -> Page[OrganizationView]:
    """List organizations, newest first: all for the platform, its own for a tenant."""
    before = id_cursor(cursor, "org")
    async with deps.session_for(actor) as session:
        rows = await organizations.page(session, before=before, limit=limit + 1)
    return id_page(rows, limit, "org", OrganizationView.of)


@router.get("/organizations/{organization_id}", response_model=OrganizationView, responses=errors(NotFound))
async def get_organization(organization_id: str, deps: DepsDep, actor: ActorDep) -> OrganizationView:
    """Read one organization."""
    async with deps.session_for(actor) as session:
        return OrganizationView.of(await organizations.get(session, organization_id))
