"""Rules of prices, for operators, and what organizations say of their agents' prices."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from api.approvals import require_two_for_override
from api.auth import ActorDep, permit, require
from api.deps import Deps, DepsDep
from api.errors import errors
from api.fields import OrganizationId
from api.idempotency import Command, MayRepeat
from api.lists import CREATED, Items, ListEndpoint, ListRequest
from api.routing import Resource
from api.v1.pricing.schemas import AgentPricingSet, AgentPricingView, DryRunCreate, DryRunView, RuleView, RuleWrite
from api.v1.pricing.terms import TierTerms
from domain.common import errors as refusals
from domain.common.access import Actor, Permission
from domain.common.approval import ApprovalAction
from domain.common.errors import NotFound
from domain.marketplace.pricing.rule import RuleType
from models.marketplace.pricing import PricingAgent
from repositories.marketplace import agent as agents, pricing as rows
from services.marketplace import pricing

router = Resource(tags=["pricing_rules"])

_WRITE = errors(
    NotFound,
    refusals.PricingRuleInvalid,
    refusals.PricingFloorAboveCeiling,
    refusals.PricingUnknownZone,
    refusals.PricingTotalFalls,
    refusals.PricingOverlap,
    refusals.PricingExpressionTooLong,
    refusals.PricingExpressionUnsafe,
    refusals.PricingExpressionInvalid,
    refusals.PricingExpressionResult,
)
_BY_TWO = errors(refusals.ApprovalRequired, refusals.ApprovalSameOperator)
#: How old a quote may be on which a rule is tried, unless the request says otherwise.
TRIED_FOR = timedelta(days=30)


@router.post(
    "/pricing/rules",
    status_code=201,
    response_model=RuleView,
    responses=_WRITE | _BY_TWO | errors(refusals.PricingTooManyRules),
)
async def create_rule(
    body: RuleWrite, deps: DepsDep, *, actor: Actor = require(Permission.OPERATE), command: MayRepeat
) -> Response:
    """Add a rule. It applies to prices from now on. Existing quotes do not change.

    A rule for one organization or agent can take two operators.
    """
    async with command:
        _known_plan(deps, body)
        rule = body.rule()
        await _by_two(deps, actor, command, body)
        async with deps.database.platform() as session:
            return command.answer(RuleView.of(await pricing.create(session, actor, rule, command.command_id)))


def _known_plan(deps: Deps, body: RuleWrite) -> None:
    """Refuse a rule for a plan that there is none of: it would never apply."""
    if isinstance(body.terms, TierTerms):
        deps.settings.plan_book.get(body.terms.tier)


async def _by_two(deps: Deps, actor: Actor, command: Command, body: RuleWrite, rule_id: str | None = None) -> None:
    if whose := body.organization_id or body.agent_id:
        asked = body.model_dump(mode="json", exclude_none=True) | ({} if rule_id is None else {"rule_id": rule_id})
        await require_two_for_override(deps, actor, command, ApprovalAction.PRICING_RULE, whose, asked)


_LIST = ListEndpoint(
    "pricing-rules",
    RuleView,
    *(*CREATED, "agent_id"),
    order=["prl"],
    organization_id=Annotated[OrganizationId | None, Query(description="Only rules for this client.")],
    type=Annotated[RuleType | None, Query(description="Only rules of this type.")],
    ended=Annotated[bool, Query(description="Include rules that have ended.")],
)


@_LIST.get(router, "/pricing/rules")
async def list_rules(deps: DepsDep, asked: ListRequest, actor: Actor = require(Permission.INSPECT)) -> Items:
    """List rules, newest first. For operators and auditors of the platform.

    The rules name clients and their agreements.
    """
    wanted = asked.wanted(asked.organization_id, without=["ended"])
    return await asked.rows(
        deps.session_for(actor), partial(rows.page, ended=bool(asked.get("ended"))), wanted, RuleView.of
    )


@router.post(
    "/pricing/rules/dry-run", response_model=DryRunView, responses=_WRITE, operation_id="pricing_rules.dry_run"
)
async def try_rule(
    body: DryRunCreate, deps: DepsDep, *, actor: Actor = require(Permission.OPERATE), command: MayRepeat
) -> Response:
    """Try a rule: price past quotes with the current rules, without it and with it. No price and no rule changes."""
    async with command, deps.session_for(actor) as session:
        _known_plan(deps, body.rule)
        tried = await pricing.try_rule(
            session,
            body.rule.rule(),
            body.replaces,
            commission_bps=deps.settings.commission_bps,
            most_bps=deps.settings.platform_discount_bps,
            since=body.since or datetime.now(UTC) - TRIED_FOR,
            limit=body.limit,
        )
        return command.answer(DryRunView.of(tried))


@router.get("/pricing/rules/{rule_id}")
async def get_rule(rule_id: str, deps: DepsDep, actor: Actor = require(Permission.INSPECT)) -> RuleView:
    """Read a rule, including one that has ended. For operators and auditors of the platform."""
    async with deps.session_for(actor) as session:
        return RuleView.of(await rows.get(session, rule_id))


@router.put("/pricing/rules/{rule_id}", response_model=RuleView, responses=_WRITE | _BY_TWO)
async def change_rule(
    rule_id: str, body: RuleWrite, deps: DepsDep, *, actor: Actor = require(Permission.OPERATE), command: MayRepeat
) -> Response:
    """Replace a rule. The audit trail keeps the earlier version.

    A rule for one organization or agent can take two operators.
    """
    async with command:
        _known_plan(deps, body)
        rule = body.rule()
        await _by_two(deps, actor, command, body, rule_id)
        async with deps.database.platform() as session:
            return command.answer(RuleView.of(await pricing.change(session, actor, rule_id, rule)))


@router.delete("/pricing/rules/{rule_id}")
async def end_rule(rule_id: str, deps: DepsDep, actor: Actor = require(Permission.OPERATE)) -> RuleView:
    """End a rule permanently. Ending it again changes nothing."""
    async with deps.database.platform() as session:
        return RuleView.of(await pricing.end(session, actor, rule_id))


@router.get("/pricing/agents/{agent_id}", tags=["pricing"], operation_id="pricing.get_agent_pricing")
async def get_agent_pricing(agent_id: str, deps: DepsDep, actor: ActorDep) -> AgentPricingView:
    """Read how an agent's organization has set up its prices. For that organization and the platform."""
    async with deps.session_for(actor) as session:
        agent = await agents.get(session, agent_id)
        if actor.org_id not in {None, agent.org_id}:
            raise NotFound(agents.MISSING)
        permit(actor, Permission.READ)
        return AgentPricingView.of(agent_id, await rows.terms_of_agent(session, agent_id))


@router.put("/pricing/agents/{agent_id}", tags=["pricing"], operation_id="pricing.set_agent_pricing")
async def set_agent_pricing(agent_id: str, body: AgentPricingSet, deps: DepsDep, actor: ActorDep) -> AgentPricingView:
    """Set how many jobs an agent works on at once, how many calls it accepts, and whether it bears discounts.

    For its organization and operators.
    """
    async with deps.session_for(actor) as session:
        agent = await agents.get(session, agent_id)
        if actor.org_id not in {None, agent.org_id}:
            raise NotFound(agents.MISSING)
        permit(actor, Permission.MANAGE_AGENTS)
        row = await pricing.set_agent(
            session,
            actor,
            PricingAgent(
                agent_id=agent_id,
                org_id=agent.org_id,
                capacity=body.capacity,
                calls_per_day=body.calls_per_day,
                bears_discounts=body.bears_discounts,
                updated_by=actor.qualified(),
            ),
        )
        return AgentPricingView.of(agent_id, row)
