"""What actions cost: everybody reads it, operators set it."""

from functools import partial
from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from api.approvals import require_two_for_override
from api.auth import permit, require
from api.deps import DepsDep
from api.errors import errors
from api.fields import OrganizationId
from api.idempotency import MayRepeat
from api.lists import CREATED, Items, ListEndpoint, ListRequest
from api.routing import Resource
from api.tenancy import known_organization, visible_organization
from api.v1.action_costs.schemas import ActionCostView, CostChange, CostList, CostVersionView
from domain.common.access import Actor, Permission
from domain.common.approval import ApprovalAction
from domain.common.errors import ApprovalRequired, ApprovalSameOperator, Invalid, NotFound
from domain.common.money import CREDIT, parse_amount
from domain.credits.action_cost import is_action
from repositories.credits import action_cost as costs
from services.credits import action_cost

router = Resource(tags=["costs"])

Whose = Annotated[OrganizationId | None, Query(description="For operators: the organization whose prices are meant.")]


@router.get("/credits/costs", responses=errors(NotFound))
async def list_costs(deps: DepsDep, organization_id: Whose = None, actor: Actor = require(Permission.READ)) -> CostList:
    """List what each action costs the organization.

    The platform sees the prices for everybody, or for one organization.
    """
    org_id = _whose(actor, organization_id)
    async with deps.session_for(actor) as session:
        found = await action_cost.in_force_for(session, deps.settings.default_costs, org_id)
    return CostList(data=[ActionCostView.of(found[name]) for name in sorted(found)])


@router.put(
    "/credits/costs/{action}", response_model=CostVersionView, responses=errors(ApprovalRequired, ApprovalSameOperator)
)
async def set_cost(
    action: str, body: CostChange, deps: DepsDep, *, actor: Actor = require(Permission.OPERATE), command: MayRepeat
) -> Response:
    """Set the cost of an action from now on, for everybody or for one organization. For operators.

    The price of one organization can take two operators.
    What was charged before keeps its price, and a repeated request does too.
    """
    if not is_action(action):
        raise Invalid(
            "An action's name must consist of lower case letters, digits, _, ., : and -, at most 64.",
            extra={"field": "action"},
        )
    async with command:
        cost_minor = None if body.cost is None else parse_amount(body.cost, CREDIT, zero=True)
        if body.organization_id is not None:
            await known_organization(deps, actor, body.organization_id)
            asked = {"action": action, "cost": body.cost, "note": body.note}
            await require_two_for_override(
                deps, actor, command, ApprovalAction.ACTION_COST, body.organization_id, asked
            )
        async with deps.session_for(actor) as session:
            made = await action_cost.change(
                session,
                actor,
                action=action,
                org_id=body.organization_id,
                cost_minor=cost_minor,
                note=body.note,
                command_id=command.command_id,
            )
        deps.costs.forget()
        return command.answer(CostVersionView.of(made, with_author=True))


_VERSIONS = ListEndpoint("cost-versions", CostVersionView, *(*CREATED, "q"), order=["cost"], organization_id=Whose)


@_VERSIONS.get(router, "/credits/costs/{action}/versions")
async def list_cost_versions(
    action: str, deps: DepsDep, asked: ListRequest, actor: Actor = require(Permission.READ)
) -> Items:
    """List the prices that were set for an action, newest first: those for everybody and the organization's own."""
    wanted, operates = asked.wanted(_whose(actor, asked.organization_id)), actor.may(Permission.INSPECT)
    return await asked.rows(
        deps.session_for(actor),
        partial(costs.page, action=action),
        wanted,
        lambda row: CostVersionView.of(row, with_author=operates),
    )


def _whose(actor: Actor, organization_id: str | None) -> str | None:
    if actor.is_platform and organization_id is not None:
        permit(actor, Permission.INSPECT)
    return visible_organization(actor, organization_id)
