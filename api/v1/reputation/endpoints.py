"""Reputation: scores of agents, feedback, and events that operators report."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

from fastapi import Query
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from api.auth import ActorDep, permit, require
from api.body import answer, called_directly
from api.csv_files import CSV
from api.deps import Deps, DepsDep
from api.errors import errors
from api.fields import AgentId, Day, SearchText
from api.idempotency import MayRepeat, MovesMoney
from api.lists import CREATED, After, Items, ListEndpoint, ListRequest, items_of, items_up_to
from api.pagination import bad_cursor
from api.risk import RISKY
from api.routing import Resource
from api.tenancy import known_organization
from api.v1.reputation.schemas import (
    CONTRADICTED,
    DIMENSIONS,
    PARTS,
    AgentScoreView,
    DistributionView,
    EventCreate,
    EventType,
    FeedbackChange,
    FeedbackCreate,
    FeedbackView,
    HistoryView,
    LeaderboardView,
    MinimumEvidence,
    PeersView,
    PlaceView,
    ReputationEventView,
    ScoreExplanationView,
    VoidCreate,
    leaders,
)
from domain.common import errors as refusals
from domain.common.access import Actor, Permission
from domain.common.errors import Invalid, NotFound
from domain.common.ids import is_id
from domain.reputation import boards, facts
from domain.reputation.boards import Period
from domain.reputation.evidence import Dimension
from domain.reputation.facts import DimensionShare, FactKind
from domain.risk.act import EntityKind, Point, RiskAct
from domain.tenants.organization import STOPPED_ERRORS
from models.reputation.reputation import ReputationFeedbackRow
from repositories.escrow import contract as contracts
from repositories.marketplace import agent as agents
from repositories.reputation import reputation as store
from repositories.reputation.reputation import AgentReputation, ReputationFact
from repositories.tenants import name
from runtime.identity import new_id
from services.reputation import reputation

router = Resource(tags=["reputation"])

#: The longest history in one request.
_MOST_DAYS = timedelta(days=366)
_FIRST = date(2000, 1, 1)

_RULES = [
    "A score is the share of good evidence. It starts at one half, as if there were two observations.",
    "Good evidence counts less every night, by the platform's rate; bad evidence counts until good evidence is added.",
    "An event counts by the value of the work, limited by the commission that was paid in money.",
    "A client's decisions count by the trust in the client, and all evidence by one client together is limited.",
    "Reports of all operators together are limited. Praise by one operator leaves room for complaints by others.",
    "Work within one organization, between related ones, and for credits that were given away does not count.",
]


async def _standing(deps: Deps, actor: Actor, agent_id: str) -> AgentReputation:
    found = None
    if is_id(agent_id, "agt"):
        found = await deps.standings.ask((agent_id, actor.org_id))
    if found is None:
        raise NotFound(agents.MISSING)
    permit(actor, Permission.READ)
    return found


@router.get("/reputation/score/{agent_id}", response_model=AgentScoreView)
@called_directly
async def get_score(agent_id: str, deps: DepsDep, actor: ActorDep) -> Response:
    """Read the reputation of an agent that the caller can see."""
    return answer(AgentScoreView.of(await _standing(deps, actor, agent_id), datetime.now(UTC).date()))


_EXPLAINED = ListEndpoint(
    "score-events",
    ReputationEventView,
    *(*CREATED, "q"),
    order=[int],
    kind=Annotated[FactKind | None, Query(description="Only events of this kind.")],
    subject=Annotated[SearchText | None, Query(description="Only events about this id.")],
)
_HISTORY = ListEndpoint(
    "score-history",
    HistoryView,
    order=[date],
    since=Annotated[Day | None, Query(alias="from", description="30 days before `to` when left out.")],
    until=Annotated[Day | None, Query(alias="to", description="Today when left out.")],
)
_FEEDBACK = ListEndpoint(
    "feedback",
    FeedbackView,
    *(*CREATED, "organization_id", "contract_id", "q"),
    order=["fbk"],
    agent_id=Annotated[
        AgentId | None, Query(description="The agent that was rated; all of the organization's if left out.")
    ],
)


@router.get("/reputation/score/{agent_id}/explanation", response_model=ScoreExplanationView, responses=CSV)
async def explain_score(
    agent_id: str, deps: DepsDep, actor: ActorDep, asked: Annotated[ListRequest, _EXPLAINED.asked]
) -> Response:
    """Explain an agent's score: the rules, and each event in a sentence, including voided and excluded events.

    For operators and auditors of the platform.
    """
    shown = AgentScoreView.of(await _standing(deps, actor, agent_id), datetime.now(UTC).date())
    permit(actor, Permission.INSPECT)
    wanted = asked.wanted(None)

    async def read(after: After, limit: int) -> Items:
        async with deps.session_for(actor) as session:
            found = await store.events_of(session, replace(wanted, after=after, limit=limit), agent_id=agent_id)
        return items_of(found, ReputationEventView.of)

    def within(items: list[ReputationEventView], cursor: str | None) -> ScoreExplanationView:
        return ScoreExplanationView(
            agent_id=agent_id, overall_score=shown.overall_score, rules=_RULES, events=items, next_cursor=cursor
        )

    return await asked.answer(read, within=within)


@_HISTORY.get(router, "/reputation/history/{agent_id}")
async def get_history(agent_id: str, deps: DepsDep, actor: ActorDep, asked: ListRequest) -> Items:
    """List an agent's overall score after each nightly count that changed it, newest first, for at most a year."""
    first, last = _range(asked.get("since"), asked.get("until"))
    if asked.after is not None and asked.after[0] == date.min:
        raise bad_cursor()
    until, found = last if asked.after is None else min(last, asked.after[0] - timedelta(days=1)), None
    if is_id(agent_id, "agt"):
        found = await deps.platform_pool.read(
            lambda pool: store.history(pool, agent_id, actor.org_id, since=first, until=until, limit=asked.limit + 1)
        )
    if found is None:
        raise NotFound(agents.MISSING)
    permit(actor, Permission.READ)
    return items_up_to(found, asked.limit, HistoryView.of, lambda row: (row["day"],))


def _range(since: date | None, until: date | None) -> tuple[date, date]:
    last = min(until or date.max, datetime.now(UTC).date())
    first = since or max(last, _FIRST) - timedelta(days=30)
    if not timedelta(0) <= last - first <= _MOST_DAYS or last < _FIRST:
        raise Invalid("from must not be after to, and at most 366 days before it.", extra={"field": "from"})
    return first, last


@router.get("/reputation/leaderboard", response_model=LeaderboardView)
@called_directly
async def get_leaderboard(
    deps: DepsDep,
    actor: ActorDep,
    dimension: Annotated[Dimension | None, Query(description="Rank by this dimension only.")] = None,
    category: Annotated[
        str | None, Query(min_length=1, max_length=64, description="Only agents of this category.")
    ] = None,
    period: Annotated[Period, Query(description="Only agents whose latest evidence came in this period.")] = Period.ALL,
    minimum_evidence: Annotated[
        MinimumEvidence, Query(description="The least evidence: events that counted, each by its weight. 1 is any.")
    ] = MinimumEvidence.ONE,
    limit: Annotated[int, Query(ge=1, le=100)] = 10,
) -> Response:
    """List the agents that rank highest, among public agents and the caller's own."""
    permit(actor, Permission.READ)

    async def read() -> str:
        rows = await deps.platform_pool.read(
            lambda pool: store.leaders(
                pool,
                dimension=dimension,
                category=category,
                period=period,
                minimum=minimum_evidence.value,
                viewer=actor.org_id,
                limit=limit,
            )
        )
        return LeaderboardView(
            dimension=dimension, category=category, period=period, minimum_evidence=minimum_evidence, data=leaders(rows)
        ).model_dump_json()

    question = ("leaderboard", dimension, category, period, minimum_evidence, actor.org_id, limit)
    return Response(await deps.sharing.ask(question, read), media_type="application/json")


@router.get("/reputation/distribution")
async def get_distribution(
    deps: DepsDep,
    dimension: Annotated[Dimension | None, Query(description="Count by this dimension only.")] = None,
    category: Annotated[
        str | None, Query(min_length=1, max_length=64, description="Only agents of this category.")
    ] = None,
    actor: Actor = require(Permission.INSPECT),  # noqa: ARG001 - the role alone
) -> DistributionView:
    """Count agents with evidence by their rank score. For operators and auditors of the platform."""
    rows = await deps.platform_pool.read(
        lambda pool: store.rank_distribution(
            pool,
            category=category or "",
            dimension="overall" if dimension is None else dimension.value,
            steps=boards.STEPS // PARTS,
        )
    )
    return DistributionView.of(rows, dimension, category)


@router.get("/reputation/peers/{agent_id}", response_model=PeersView)
@called_directly
async def get_peers(agent_id: str, deps: DepsDep, actor: ActorDep) -> Response:
    """Read an agent's place among all agents with evidence, and among the agents of its category."""
    found = None
    if is_id(agent_id, "agt"):
        found = await deps.platform_pool.read(lambda pool: store.peers(pool, agent_id, actor.org_id))
    if found is None:
        raise NotFound(agents.MISSING)
    permit(actor, Permission.READ)
    rows = [row for row in found if row["day"] is not None]
    category = max((row["category"] for row in rows), default="") or None
    return answer(
        PeersView(
            **PlaceView.of([row for row in rows if not row["category"]]).model_dump(),
            agent_id=agent_id,
            evidence_count=found[0]["evidence_count"],
            as_of=max((row["day"] for row in rows), default=None),
            category=category,
            in_category=PlaceView.of([row for row in rows if row["category"]]) if category else None,
        )
    )


@router.post(
    "/reputation/feedback",
    status_code=201,
    response_model=FeedbackView,
    responses=errors(
        NotFound,
        refusals.ReputationOwnAgent,
        refusals.ReputationRelated,
        refusals.ReputationNotSettled,
        refusals.ReputationAlreadyGiven,
        refusals.ReputationWindowClosed,
        *STOPPED_ERRORS,
        *RISKY,
    ),
)
async def give_feedback(
    body: FeedbackCreate,
    deps: DepsDep,
    # All principals that may dispute work may rate it, people as well as the client's agents.
    *,
    actor: Actor = require(Permission.DISPUTE),
    command: MayRepeat,
) -> Response:
    """Rate the agent of a settled contract, as its client. This is possible once, within the feedback window."""
    async with command, deps.database.platform() as session:
        contract, now = await contracts.find(session, body.contract_id), datetime.now(UTC)
        if contract is not None and contract.org_id == actor.org_id:
            act = RiskAct(
                point=Point.FEEDBACK,
                actor=actor,
                org_id=actor.org_id,
                subject=contract.id,
                command_id=command.command_id,
                counterparty_org_id=contract.payee_org_id,
                seen={EntityKind.AGENT: contract.agent_id},
            )
            await deps.risk.require(session, act, now)
        row = await reputation.give_feedback(
            session,
            actor,
            body.contract_id,
            body.ratings,
            body.comment,
            command_id=command.command_id,
            now=now,
            window=deps.settings.feedback_window,
            policy=deps.settings.evidence_policy,
        )
        return command.answer(*await _shown(session, [row]))


@router.put(
    "/reputation/feedback/{feedback_id}",
    response_model=FeedbackView,
    responses=errors(refusals.ReputationWindowClosed, *STOPPED_ERRORS),
)
async def change_feedback(
    feedback_id: str, body: FeedbackChange, deps: DepsDep, actor: ActorDep, command: MayRepeat
) -> Response:
    """Change feedback, once and within the window. The earlier version no longer counts, and is kept."""
    async with command:
        async with deps.session_for(actor) as session:
            await store.feedback(session, feedback_id)
        permit(actor, Permission.DISPUTE)
        async with deps.database.platform() as session:
            row = await reputation.change_feedback(
                session,
                actor,
                feedback_id,
                body.ratings,
                body.comment,
                command_id=command.command_id,
                now=datetime.now(UTC),
                window=deps.settings.feedback_window,
                policy=deps.settings.evidence_policy,
            )
            return command.answer(*await _shown(session, [row]))


@_FEEDBACK.get(router, "/reputation/feedback", NotFound)
async def list_feedback(deps: DepsDep, asked: ListRequest, actor: Actor = require(Permission.READ)) -> Items:
    """List feedback on an agent, or on all agents of the organization, newest first.

    Callers that see the agent see the feedback that counts, without the client and the contract. The two parties of the
    contract and the platform see all.
    """
    agent_id, wanted = asked.get("agent_id") or actor.agent_id, asked.wanted(None)
    if agent_id is None:
        rated = {"agent_org_id": await known_organization(deps, actor, asked.organization_id)}
    else:
        rated = {"agent_id": agent_id}
        async with deps.session_for(actor) as session:
            await agents.get(session, agent_id)
    wanted = replace(wanted, equal={**wanted.equal, **rated})
    async with deps.database.platform() as session:
        found = await store.feedback_of(session, wanted, viewer=actor.org_id)
        return await _shown(session, found.rows, actor.org_id), found.following


async def _shown(
    session: AsyncSession, rows: Sequence[ReputationFeedbackRow], viewer: str | None = None
) -> list[FeedbackView]:
    names = await name.names_of(session, {each for row in rows for each in (row.agent_id, row.org_id)}, None)
    return [FeedbackView.of(row, names, viewer) for row in rows]


_SERVICE_LEVELS = {EventType.SLA_KEPT: FactKind.SLA_KEPT, EventType.SLA_MISSED: FactKind.SLA_MISSED}


def _said(body: EventCreate) -> tuple[DimensionShare, ...]:
    delta_e2 = round(body.score_delta * 100)
    if delta_e2 * CONTRADICTED.get(body.event_type, 0) > 0:
        raise Invalid(
            f"This score_delta contradicts {body.event_type.value}. Change its sign, or leave it out.",
            extra={"field": "score_delta"},
        )
    if delta_e2 == 0 and (level := _SERVICE_LEVELS.get(body.event_type)) is not None:
        return facts.shares_of(level)
    return facts.reported(DIMENSIONS[body.event_type], delta_e2)


def _promptness(body: EventCreate) -> tuple[DimensionShare, ...]:
    took_ms, target_ms = body.metadata.response_time_ms, body.metadata.response_target_ms
    if target_ms is None:
        return ()
    if took_ms is None:
        raise Invalid(
            "A target needs the response time. Send response_time_ms too, or leave response_target_ms out.",
            extra={"field": "metadata.response_time_ms"},
        )
    if body.event_type is EventType.RESPONDED and body.score_delta:
        raise Invalid(
            "With a target, the response time decides how much it counts. Leave score_delta out.",
            extra={"field": "score_delta"},
        )
    return facts.shares_of(FactKind.RESPONDED, facts.promptness_e4(took_ms, target_ms))


@router.post("/reputation/events", status_code=201, response_model=ReputationEventView, responses=errors(NotFound))
async def report_event(
    body: EventCreate, deps: DepsDep, *, actor: Actor = require(Permission.OPERATE), command: MovesMoney
) -> Response:
    """Report an event outside of contracts: at most one unit of evidence, and a response time.

    Response times make up the average and the percentile. With `response_target_ms` a response time is also evidence:
    all good up to the target, half good at twice the target, and so on.
    """
    fact = ReputationFact(
        id=new_id("rev"),
        kind=_SERVICE_LEVELS.get(body.event_type, FactKind.REPORTED).value,
        key=command.command_id,
        subject=body.event_type.value,
        says=_said(body) + _promptness(body),
        note=body.note,
        response_ms=body.metadata.response_time_ms,
    )
    async with command, deps.session_for(actor) as session:
        agent = await agents.get(session, body.agent_id)
        row = await reputation.report(session, actor, agent.id, agent.org_id, fact, at=datetime.now(UTC))
        return command.answer(ReputationEventView.of(row))


@router.get("/reputation/events/{event_id}")
async def get_event(event_id: str, deps: DepsDep, actor: Actor = require(Permission.INSPECT)) -> ReputationEventView:
    """Read one event of an agent, void or not. For operators and auditors of the platform."""
    async with deps.session_for(actor) as session:
        return ReputationEventView.of(await store.event(session, event_id))


@router.post("/reputation/events/{event_id}/void", response_model=ReputationEventView)
async def void_event(event_id: str, body: VoidCreate, deps: DepsDep, actor: ActorDep, command: MayRepeat) -> Response:
    """Void an event: scores are computed as if it had never happened. Voiding it again changes nothing."""
    async with command, deps.session_for(actor) as session:
        row = await store.event(session, event_id)
        permit(actor, Permission.OPERATE)
        await reputation.void_event(session, actor, row, reason=body.reason, now=datetime.now(UTC))
        return command.answer(ReputationEventView.of(row))
