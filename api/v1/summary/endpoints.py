"""Summary of an organization's money as of one moment."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from api.auth import ActorDep, permit, require
from api.deps import Deps, DepsDep
from api.errors import errors
from api.fields import OrganizationId
from api.routing import Resource
from api.tenancy import acting_organization, known_organization
from api.v1.summary.schemas import SummaryView
from domain.common.access import Actor, Permission
from domain.common.errors import NotFound
from domain.common.ids import is_id
from repositories.tenants import organization as organizations
from services.payouts.summary import summary

router = Resource(tags=["billing"])


@router.get("/billing/summary", response_model=SummaryView, responses=errors(NotFound))
async def get_billing_summary(
    deps: DepsDep,
    organization_id: Annotated[OrganizationId | None, Query(description="For operators.")] = None,
    actor: Actor = require(Permission.READ_BILLING),
) -> Response:
    """Show all money of an organization: what it can spend, what is held, in escrow, earned, owed and due.

    All amounts are of the same moment. The parts of each currency add up to `total`, which is what the books hold.
    """
    return await _summary(deps, await known_organization(deps, actor, organization_id))


@router.get("/organizations/{organization_id}/summary", response_model=SummaryView, tags=["organizations"])
async def get_organization_summary(organization_id: str, deps: DepsDep, actor: ActorDep) -> Response:
    """Show all money of an organization; `GET /billing/summary` shows the same to the organization itself."""
    if not is_id(organization_id, "org"):
        raise NotFound(organizations.MISSING)
    org_id = acting_organization(actor, organization_id)
    permit(actor, Permission.READ_BILLING)
    if actor.is_platform:
        async with deps.session_for(actor) as session:
            await organizations.get(session, org_id)
        permit(actor, Permission.INSPECT)
    return await _summary(deps, org_id)


async def _summary(deps: Deps, org_id: str) -> Response:
    async def read() -> str:
        # Lots of other organizations have the prices and payments of earnings.
        found = await summary(deps.database, org_id, deps.settings.hold_back, now=datetime.now(UTC))
        return SummaryView.of(found).model_dump_json()

    return Response(await deps.sharing.ask(("summary", org_id), read), media_type="application/json")
