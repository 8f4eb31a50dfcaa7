"""Comparison with consenting others."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from api.auth import SpendingKeyDep, require
from api.deps import DepsDep
from api.errors import errors
from api.fields import AgentId, OrganizationId
from api.idempotency import MayRepeat
from api.routing import Resource
from api.tenancy import known_organization
from api.v1.analytics.advice_schemas import PeerComparisonView, PeersConsentSet, PeersConsentView
from api.v1.spends.own import confined_key, refuse_totals
from domain.common.access import Actor, Permission
from domain.common.errors import Invalid, NotFound
from domain.insight.peers import PeerMetric
from services.insight import peers

router = Resource(tags=["analytics"])


@router.get("/analytics/peers", responses=errors(NotFound))
async def get_peers(
    deps: DepsDep,
    metric: Annotated[PeerMetric, Query(description="The figure to compare.")],
    agent_id: Annotated[AgentId | None, Query(description="The agent, for figures of agents.")] = None,
    organization_id: Annotated[OrganizationId | None, Query(description="For operators.")] = None,
    *,
    key: SpendingKeyDep,
    actor: Actor = require(Permission.READ_BILLING),
) -> PeerComparisonView:
    """Show the quartile of an organization or an agent in its group last month.

    Groups are organizations on the same plan, and public agents of the same category, whose organizations had agreed to
    be compared when the month began. They need at least eight independent members, none with more than 30 % of the sum.
    A month is computed once, so its results never change.
    """
    refuse_totals(confined_key(actor, key))
    org_id = await known_organization(deps, actor, organization_id)
    async with deps.session_for(actor) as session:
        asked = await peers.peer_query(session, org_id, metric, agent_id=agent_id, now=datetime.now(UTC))
    if asked.reason is not None:
        return PeerComparisonView.of(asked, None, asked.reason)
    async with deps.questions.turn(actor.org_id), deps.database.platform() as session:
        await peers.compute(session, asked, deps.settings.evidence_policy.registrars)
    async with deps.session_for(actor) as session:
        found = await peers.peer_result(session, asked)
    return PeerComparisonView.of(asked, found.quarter, found.reason)


@router.put("/analytics/peers/consent", response_model=PeersConsentView)
async def set_peers_consent(
    body: PeersConsentSet, deps: DepsDep, *, actor: Actor = require(Permission.CHANGE_ORGANIZATION), command: MayRepeat
) -> Response:
    """Grant or revoke consent to comparisons with others. Only the organization itself can consent.

    Consent counts from the first month that begins afterwards, a revocation immediately.
    """
    org_id = actor.org_id
    if org_id is None:
        raise Invalid("Only the organization itself can agree. Ask an owner or an admin of it.")
    async with command, deps.database.platform() as session:
        agreed_at = await peers.set_consent(session, actor, org_id, agrees=body.agrees, now=datetime.now(UTC))
        return command.answer(PeersConsentView(agrees=agreed_at is not None, agreed_at=agreed_at))
