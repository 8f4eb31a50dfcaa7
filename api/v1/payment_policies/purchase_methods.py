"""Declared methods: everybody of the organization reads them, owners and admins write them, and operators."""

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
from api.v1.payment_policies.schemas import PurchaseMethodSet, PurchaseMethodView
from domain.common.access import Actor, Permission
from domain.common.errors import NotFound, PurchaseMethodLimitReached
from repositories.budgets import purchase_method as methods
from services.budgets import policy as service

router = Resource(tags=["purchase_methods"])


@router.put(
    "/purchase-methods", response_model=PurchaseMethodView, responses=errors(NotFound, PurchaseMethodLimitReached)
)
async def set_purchase_method(
    body: PurchaseMethodSet, deps: DepsDep, *, actor: Actor = require(Permission.MANAGE_SPENDING), command: MayRepeat
) -> Response:
    """Declare a method that the organization pays with outside, or replace the one of that name.

    It is not connected: whoever pays with it reports the attempt. What was counted of its attempts stays.
    """
    org_id = acting_organization(actor, body.organization_id)
    declared = body.declared()
    async with command, deps.database.platform() as session:
        row = await service.set_method(session, actor, org_id, declared, now=datetime.now(UTC))
        return command.answer(PurchaseMethodView.of(row))


@router.get("/purchase-methods", response_model=Page[PurchaseMethodView], responses=errors(NotFound) | CSV)
async def list_purchase_methods(
    deps: DepsDep,
    request: Request,
    organization_id: Annotated[OrganizationId | None, Query(description="For operators.")] = None,
    actor: Actor = require(Permission.READ),
) -> Page[PurchaseMethodView] | Response:
    """List the declared methods by rank. All are on one page.

    With `Accept: text/csv` the response is a CSV file.
    """
    org_id = await known_organization(deps, actor, organization_id)
    async with deps.session_for(actor) as session:
        data = [PurchaseMethodView.of(row) for row in await methods.listed(session, org_id)]
    return file_of_list(PurchaseMethodView, data, "purchase-methods.csv") if wants_csv(request) else Page(data=data)


@router.delete("/purchase-methods/{purchase_method_id}", status_code=204)
async def delete_purchase_method(purchase_method_id: str, deps: DepsDep, actor: ActorDep) -> Response:
    """Delete a declared method, with what was counted of its attempts."""
    async with deps.session_for(actor) as session:
        await methods.get(session, purchase_method_id)
    permit(actor, Permission.MANAGE_SPENDING)
    async with deps.database.platform() as session:
        await service.delete_method(session, actor, purchase_method_id)
    return Response(status_code=204)
