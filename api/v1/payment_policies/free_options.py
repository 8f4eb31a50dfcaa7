"""The catalogue of free options: everybody of the organization reads it, owners and admins write it, and operators."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from api.auth import ActorDep, permit, require
from api.csv_files import CSV, file_of_list, wants_csv
from api.deps import DepsDep
from api.errors import errors
from api.fields import OrganizationId, Page
from api.idempotency import MayRepeat
from api.routing import Resource
from api.tenancy import acting_organization, known_organization
from api.v1.payment_policies.schemas import FreeOptionSet, FreeOptionView
from domain.common.access import Actor, Permission
from domain.common.errors import FreeOptionLimitReached, NotFound
from repositories.budgets import free_option as options
from services.budgets import policy as service

router = Resource(tags=["free_options"])


@router.put("/free-options", response_model=FreeOptionView, responses=errors(NotFound, FreeOptionLimitReached))
async def set_free_option(
    body: FreeOptionSet, deps: DepsDep, *, actor: Actor = require(Permission.MANAGE_SPENDING), command: MayRepeat
) -> Response:
    """Add a free option to the catalogue, or replace the one of that name.

    Policies with `require` answer purchases of its category with it. Its use is counted when a purchase is abandoned
    for it, and an alert is raised when 80 % of its quota is used.
    """
    org_id = acting_organization(actor, body.organization_id)
    option = body.option()
    async with command, deps.database.platform() as session:
        now = datetime.now(UTC)
        return command.answer(FreeOptionView.of(await service.set_option(session, actor, org_id, option, now=now), now))


@router.get("/free-options", response_model=Page[FreeOptionView], responses=errors(NotFound) | CSV)
async def list_free_options(
    deps: DepsDep,
    request: Request,
    organization_id: Annotated[OrganizationId | None, Query(description="For operators.")] = None,
    actor: Actor = require(Permission.READ),
) -> Page[FreeOptionView] | Response:
    """List the free options by category and name. All are on one page.

    With `Accept: text/csv` the response is a CSV file.
    """
    org_id, now = await known_organization(deps, actor, organization_id), datetime.now(UTC)
    async with deps.session_for(actor) as session:
        data = [FreeOptionView.of(row, now) for row in await options.listed(session, org_id)]
    return file_of_list(FreeOptionView, data, "free-options.csv") if wants_csv(request) else Page(data=data)


@router.delete("/free-options/{option_id}", status_code=204)
async def delete_free_option(option_id: str, deps: DepsDep, actor: ActorDep) -> Response:
    """Remove a free option from the catalogue. An alert on its quota is resolved."""
    async with deps.session_for(actor) as session:
        await options.get(session, option_id)
    permit(actor, Permission.MANAGE_SPENDING)
    async with deps.database.platform() as session:
        await service.delete_option(session, actor, option_id)
    return Response(status_code=204)
