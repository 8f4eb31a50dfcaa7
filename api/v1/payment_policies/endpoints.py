"""Payment policies: set by owners and admins, and operators; each agent reads the one that holds for it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from api.auth import ActorDep, permit, require
from api.deps import DepsDep
from api.errors import errors
from api.fields import AgentId, OrganizationId, ProjectId, SearchText
from api.idempotency import MayRepeat
from api.lists import Items, ListEndpoint, ListRequest
from api.routing import Resource
from api.tenancy import acting_organization, known_organization, listed_organization
from api.v1.payment_policies.schemas import PaymentPolicySet, PaymentPolicyView
from domain.budgets.policy import PolicyScope
from domain.common.access import Actor, Permission
from domain.common.errors import Forbidden, NotFound, PaymentPolicyVersion
from models.budgets.payment_policy import PaymentPolicy
from repositories.budgets import payment_policy as policies
from repositories.marketplace import agent as agents
from repositories.tenants import name
from services.budgets import policy as service

router = Resource(tags=["payment_policies"])


@router.put("/payment-policies", response_model=PaymentPolicyView, responses=errors(NotFound, PaymentPolicyVersion))
async def set_payment_policy(
    body: PaymentPolicySet, deps: DepsDep, *, actor: Actor = require(Permission.MANAGE_SPENDING), command: MayRepeat
) -> Response:
    """Set the payment policy of the organization, a project or an agent. It replaces the one before as a whole.

    Of the policies of an agent, its project and its organization, the nearest one holds, and the others do not.
    """
    org_id = acting_organization(actor, body.organization_id)
    policy = body.policy()
    async with command, deps.database.platform() as session:
        row = await service.set_policy(
            session,
            actor,
            org_id,
            body.subject.type,
            body.subject.id,
            policy,
            expected_version=body.version,
            now=datetime.now(UTC),
        )
        return command.answer((await _shown(session, [row]))[0])


_LIST = ListEndpoint(
    "payment-policies",
    PaymentPolicyView,
    "organization_id",
    order=["pol"],
    subject_type=Annotated[PolicyScope | None, Query(description="Only policies of this type of subject.")],
    subject_id=Annotated[SearchText | None, Query(description="Only the policy of this subject.")],
)


@_LIST.get(router, "/payment-policies", NotFound)
async def list_payment_policies(
    deps: DepsDep, asked: ListRequest, actor: Actor = require(Permission.READ_BILLING)
) -> Items:
    """List the payment policies that were set, newest first."""
    wanted = asked.wanted(listed_organization(actor, asked.organization_id), subject_type="scope")
    async with deps.session_for(actor) as session:
        found = await policies.page(session, wanted)
        return await _shown(session, found.rows), found.following


@router.get("/payment-policies/effective", responses=errors(NotFound))
async def get_effective_payment_policy(
    deps: DepsDep,
    agent_id: Annotated[AgentId | None, Query(description="The agent that buys; an agent's key reads its own.")] = None,
    project_id: Annotated[ProjectId | None, Query(description="The project; that of the agent when left out.")] = None,
    organization_id: Annotated[OrganizationId | None, Query(description="For operators.")] = None,
    actor: Actor = require(Permission.READ),
) -> PaymentPolicyView:
    """Read the policy that holds: the agent's, else the project's, else the organization's, else the default."""
    org_id = await known_organization(deps, actor, organization_id)
    wanted = agent_id or actor.agent_id
    async with deps.session_for(actor) as session:
        if wanted is not None:
            row = await agents.get(session, wanted)
            if row.org_id != org_id:
                raise NotFound(agents.MISSING)
            if actor.agent_id not in {None, wanted}:
                raise Forbidden("An agent's key reads the policy of its own agent only.")
            project_id = project_id or row.project_id
        if project_id is not None:
            await service.check_subject(session, org_id, PolicyScope.PROJECT, project_id)
        found = await policies.nearest(session, org_id, agent_id=wanted, project_id=project_id)
        if found is None:
            return PaymentPolicyView.of(None, org_id, {})
        return (await _shown(session, [found]))[0]


@router.get("/payment-policies/{policy_id}")
async def get_payment_policy(policy_id: str, deps: DepsDep, actor: ActorDep) -> PaymentPolicyView:
    """Read one payment policy."""
    async with deps.session_for(actor) as session:
        row = await policies.get(session, policy_id)
        permit(actor, Permission.INSPECT if actor.is_platform else Permission.READ_BILLING)
        return (await _shown(session, [row]))[0]


@router.delete("/payment-policies/{policy_id}", status_code=204)
async def delete_payment_policy(policy_id: str, deps: DepsDep, actor: ActorDep) -> Response:
    """Delete a payment policy. The next nearest one holds from now on."""
    async with deps.session_for(actor) as session:
        await policies.get(session, policy_id)
    permit(actor, Permission.MANAGE_SPENDING)
    async with deps.database.platform() as session:
        await service.delete_policy(session, actor, policy_id)
    return Response(status_code=204)


async def _shown(session: AsyncSession, rows: Sequence[PaymentPolicy]) -> list[PaymentPolicyView]:
    names = await name.names_of(session, [row.subject_id for row in rows], None)
    return [PaymentPolicyView.of(row, row.org_id, names) for row in rows]
