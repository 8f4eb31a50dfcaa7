"""Projects and the slots that let more of them be deployed.

Deploying is the side of it that is billed: it grants the right to run and records who took it when. Whoever runs the
project asks for it here first.
"""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from api.auth import ActorDep, permit, require
from api.deps import Deps, DepsDep, TemporalDep
from api.errors import errors
from api.fields import OrganizationId, etag
from api.idempotency import Command, MayRepeat, MovesMoney
from api.lists import CREATED, Items, ListEndpoint, ListRequest, items_of
from api.metadata import PreconditionDep, read_own, required_precondition, visible_metadata
from api.routing import Resource
from api.tenancy import acting_organization, known_organization, listed_organization
from api.v1.payments import commands
from api.v1.payments.endpoints import CREATING, payment_view
from api.v1.payments.terms import Terms
from api.v1.projects.schemas import (
    LimitsView,
    ProjectCreate,
    ProjectUpdate,
    ProjectView,
    SlotPurchase,
    SlotPurchaseView,
    limits_view,
    purchase_view,
)
from domain.common.access import Actor, Permission
from domain.common.errors import ExternalIdTaken, Forbidden, LimitReached, NotFound, ProjectExists
from domain.common.ids import sale_tax_key
from domain.payments.payment.terms import PaymentTerms
from domain.tenants.organization import STOPPED_ERRORS
from repositories.billing import project as projects
from repositories.tenants import metadata, organization as organizations
from services.billing import project
from services.billing.project import ProjectCommand
from services.tenants.metadata import ObjectChange, change

router = Resource(tags=["projects"])

ForOperators = Annotated[OrganizationId | None, Query(description="For operators.")]

_CREATING = errors(ProjectExists, LimitReached, ExternalIdTaken, *STOPPED_ERRORS)
_DEPLOYING = errors(Forbidden, LimitReached, *STOPPED_ERRORS)


@router.post("/projects", status_code=201, response_model=ProjectView, responses=_CREATING)
async def create_project(
    body: ProjectCreate, deps: DepsDep, once: MayRepeat, actor: Actor = require(Permission.MANAGE_PROJECTS)
) -> Response:
    """Create a project, if the limits of the plan and the slots allow it."""
    org_id = acting_organization(actor, None)
    async with once, deps.database.platform() as session:
        slug, name = body.named()
        order = _order(deps, actor, org_id, once)
        made = await project.create(session, order, slug, name, body.deploy_type, body.own())
        once.version = made.version
        return once.answer(ProjectView.of(made, await metadata.get(session, made.id, org_id)))


_LIST = ListEndpoint(
    "projects",
    ProjectView,
    *(*CREATED, "organization_id", "q"),
    order=["prj"],
    has_metadata=True,
    deployed=Annotated[bool, Query(description="Only deployed projects.")],
)


@_LIST.get(router, "/projects", NotFound)
async def list_projects(deps: DepsDep, asked: ListRequest, actor: Actor = require(Permission.READ)) -> Items:
    """List the organization's projects, newest first."""
    wanted = asked.wanted(listed_organization(actor, asked.organization_id), without=["deployed"])
    deployed = asked.get("deployed") is True
    async with deps.session_for(actor) as session:
        found = await projects.page(session, wanted, deployed=deployed)
        own = await visible_metadata(session, actor, {row.id: row.org_id for row in found.rows})
    return items_of(found, lambda row: ProjectView.of(row, own.get(row.id)))


@router.get("/projects/{slug}")
async def get_project(
    slug: str, deps: DepsDep, response: Response, actor: Actor = require(Permission.READ)
) -> ProjectView:
    """Read one project of your organization."""
    if actor.org_id is None:
        raise NotFound(projects.MISSING)
    async with deps.session_for(actor) as session:
        row = await projects.get(session, actor.org_id, slug)
        response.headers.update(etag(row.version))
        return ProjectView.of(row, await metadata.get(session, row.id, row.org_id))


@router.patch("/projects/{slug}", response_model=ProjectView, responses=errors(ExternalIdTaken))
async def update_project(
    slug: str, body: ProjectUpdate, deps: DepsDep, expected: PreconditionDep, once: MayRepeat, actor: ActorDep
) -> Response:
    """Change a project's name, `external_id` and `metadata`.

    `If-Match` names the version to change; the response has the new one as its `ETag`.
    """
    org_id = await _organization_of(deps, actor, slug)
    match = required_precondition(expected)
    async with once, deps.database.platform() as session:
        await organizations.lock(session, org_id)
        row = await projects.get(session, org_id, slug)
        asked = ObjectChange(
            noun="project",
            object_id=row.id,
            org_id=org_id,
            expected=match,
            written=body.written(),
            columns={} if body.name is None else {"name": {"name": body.name}},
            command_id=once.command_id,
        )
        changed = await change(session, actor, asked, row)
        once.version = changed.version
        return once.answer(ProjectView.of(row, changed.own))


@router.post("/projects/{slug}/deploy", response_model=ProjectView, responses=_DEPLOYING)
async def deploy_project(slug: str, deps: DepsDep, once: MayRepeat, actor: ActorDep) -> Response:
    """Deploy a project. Beyond the plan's limit it occupies a slot. Deploying it again changes nothing."""
    org_id = await _organization_of(deps, actor, slug)
    async with once, deps.database.platform() as session:
        row = await project.deploy(session, _order(deps, actor, org_id, once), slug)
        return once.answer(ProjectView.of(row, await metadata.get(session, row.id, org_id)))


@router.delete("/projects/{slug}/deploy", response_model=ProjectView)
async def undeploy_project(slug: str, deps: DepsDep, once: MayRepeat, actor: ActorDep) -> Response:
    """Undeploy a project, which frees its slot. Undeploying it again changes nothing."""
    org_id = await _organization_of(deps, actor, slug)
    async with once, deps.database.platform() as session:
        row = await project.undeploy(session, _order(deps, actor, org_id, once), slug)
        return once.answer(ProjectView.of(row, await metadata.get(session, row.id, org_id)))


@router.get("/projects/deployment/limits", responses=errors(NotFound))
async def get_deployment_limits(
    deps: DepsDep, organization_id: ForOperators = None, actor: Actor = require(Permission.READ)
) -> LimitsView:
    """Show how many projects the organization may have and may deploy, and how many it has and deploys."""
    return await _limits(deps, actor, await known_organization(deps, actor, organization_id))


@router.post(
    "/projects/deployment/purchase-slot",
    status_code=201,
    response_model=SlotPurchaseView,
    responses=errors(*CREATING, ExternalIdTaken),
)
async def purchase_slot(
    deps: DepsDep,
    temporal: TemporalDep,
    once: MovesMoney,
    body: SlotPurchase | None = None,
    actor: Actor = require(Permission.PAY),
) -> Response:
    """Buy slots with a payment. They can be used as soon as the money is received.

    The price is taxed like any other sale. `GET /billing/quote?slots=` shows the total.
    """
    org_id = acting_organization(actor, None)
    wanted = (body or SlotPurchase()).payment()

    async def terms() -> PaymentTerms:
        return wanted.require_total(await Terms(deps, org_id, wanted, sale_tax_key(once.command_id)).of(wanted, actor))

    async with once:
        payment = await commands.create(deps, temporal, actor, once, terms, wanted.own())
        own = await read_own(deps, actor, payment.terms.payment_id, org_id)
        return once.answer(purchase_view(payment_view(payment, actor, own), await _limits(deps, actor, org_id)))


async def _organization_of(deps: Deps, actor: Actor, slug: str) -> str:
    """Return whose project the actor means, before the role is judged: 404 comes before 403."""
    if actor.org_id is None:
        raise NotFound(projects.MISSING)
    async with deps.session_for(actor) as session:
        await projects.get(session, actor.org_id, slug)
    permit(actor, Permission.MANAGE_PROJECTS)
    return actor.org_id


async def _limits(deps: Deps, actor: Actor, org_id: str) -> LimitsView:
    async with deps.session_for(actor) as session:
        usage = await project.usage_of(session, await organizations.get(session, org_id), deps.settings.plan_book)
    return limits_view(org_id, usage, deps.settings.price_of_slots)


def _order(deps: Deps, actor: Actor, org_id: str, once: Command) -> ProjectCommand:
    return ProjectCommand(
        actor=actor,
        org_id=org_id,
        command_id=once.command_id,
        at=datetime.now(UTC),
        plans=deps.settings.plan_book,
        may_repeat=once.key is not None,
    )
