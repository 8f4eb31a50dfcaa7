"""Routing decisions: the choice of a model or agent for a call, its probabilities, and the outcome."""

from datetime import UTC, datetime

from starlette.responses import Response

from api.auth import ActorDep, SpendingKeyDep, permit, require
from api.deps import DepsDep
from api.errors import errors
from api.idempotency import MayRepeat
from api.lists import CREATED, Items, ListEndpoint, ListRequest
from api.routing import Resource
from api.spending import scope_for
from api.tenancy import acting_organization, listed_organization, of_own_agent, refuse_other_agent
from api.v1.routing.schemas import RoutingDecisionCreate, RoutingDecisionView, RoutingOutcomeSet, pico_of
from domain.common import errors as refusals
from domain.common.access import Actor, Permission
from domain.common.errors import Forbidden, NotFound
from domain.common.money import parse_ratio
from domain.credits.spend.scope import RequestedScope
from domain.returns.result import is_self_report
from ledger.spends import Spender
from repositories.marketplace import agent as agents
from repositories.returns import route as routes
from services.returns import route

router = Resource(tags=["routing"])


@router.post(
    "/routing/decisions",
    status_code=201,
    response_model=RoutingDecisionView,
    responses=errors(NotFound, refusals.AnalyticsNoRate, refusals.RoutingRunDecided),
)
async def create_routing_decision(
    body: RoutingDecisionCreate,
    deps: DepsDep,
    key: SpendingKeyDep,
    once: MayRepeat,
    actor: Actor = require(Permission.USE_CREDITS),
) -> Response:
    """Choose a model or an agent for a call, by the outcomes of earlier calls and the remaining budget.

    The choice is random by the candidates' probabilities, so candidates that are rarely the best are tried too. A
    candidate without a price is excluded. Nothing is spent or reserved. Send the `run_id` of the response with the
    usage of the call; the result of that run for the same `task_kind` is then the outcome. For an agent that is paid by
    contract, send the id of the decision as the contract's `external_id`.
    """
    org_id, wish = acting_organization(actor, None), body.wish()
    agent_id = body.agent_id or actor.agent_id
    if agent_id is not None:
        async with deps.session_for(actor) as session:
            if (await agents.get(session, agent_id)).org_id != org_id:
                raise NotFound(agents.MISSING)
        refuse_other_agent(actor, agent_id, agents.MISSING)
    scope = await scope_for(deps, actor, key, RequestedScope(agent_id=agent_id))
    question = route.CallToRoute(
        org_id=org_id,
        spender=Spender(
            agent_id=scope.agent_id, department_id=scope.department_id, project_id=scope.project_id, key_id=scope.key_id
        ),
        task_kind=body.task_kind,
        run_id=body.run_id,
        candidates=body.candidates or (),
        wish=wish,
        currency=body.currency,
        markup_e6=deps.settings.cost_markup_e6,
        granted_minor=deps.settings.granted_for_models,
    )
    async with once, deps.database.platform() as session:
        row = await route.decide(
            session,
            deps.prices,
            question,
            decided_by=actor.qualified(),
            command_id=once.command_id,
            now=datetime.now(UTC),
        )
        return once.answer(RoutingDecisionView.of(row))


_LIST = ListEndpoint("routing-decisions", RoutingDecisionView, *CREATED, "organization_id", "agent_id", order=["rtd"])


@_LIST.get(router, "/routing/decisions", NotFound)
async def list_routing_decisions(deps: DepsDep, asked: ListRequest, actor: Actor = require(Permission.READ)) -> Items:
    """List routing decisions, newest first. An agent's key sees those of its agent."""
    wanted = of_own_agent(actor, asked.wanted(listed_organization(actor, asked.organization_id)))
    return await asked.rows(deps.session_for(actor), routes.page, wanted, RoutingDecisionView.of)


@router.get("/routing/decisions/{decision_id}")
async def get_routing_decision(decision_id: str, deps: DepsDep, actor: ActorDep) -> RoutingDecisionView:
    """Read one routing decision."""
    async with deps.session_for(actor) as session:
        row = await routes.get(session, decision_id)
    refuse_other_agent(actor, row.agent_id, routes.MISSING)
    permit(actor, Permission.INSPECT if actor.is_platform else Permission.READ)
    return RoutingDecisionView.of(row)


@router.post(
    "/routing/decisions/{decision_id}/outcome",
    response_model=RoutingDecisionView,
    responses=errors(refusals.RoutingNoChoice, refusals.RoutingOutcomeExists),
)
async def set_routing_outcome(
    decision_id: str, body: RoutingOutcomeSet, deps: DepsDep, once: MayRepeat, actor: ActorDep
) -> Response:
    """Report the outcome of a routed call, at any time after it; the first outcome counts.

    Agents' keys are refused, because an agent cannot rate its own calls.
    """
    async with deps.session_for(actor) as session:
        row = await routes.get(session, decision_id)
    refuse_other_agent(actor, row.agent_id, routes.MISSING)
    permit(actor, Permission.USE_CREDITS)
    if is_self_report(actor):
        raise Forbidden("Agents do not report the outcome of routed calls. Report it with another key.")
    outcome = route.CallOutcome(
        score_e6=parse_ratio(body.score, "score") * 100,
        source="api",
        reference=actor.qualified(),
        cost_pico=None if body.cost is None else pico_of(body.cost, "cost"),
    )
    async with once, deps.database.platform() as session:
        row = await routes.get(session, decision_id, lock=True)
        await route.record_outcome(session, row, outcome, now=datetime.now(UTC))
        return once.answer(RoutingDecisionView.of(row))
