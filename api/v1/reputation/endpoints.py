"""Reputation: what is known of agents, and who may say something of them."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from api.auth import ActorDep, permit, require
from api.body import answer, called_directly
from api.deps import Deps, DepsDep
from api.errors import errors
from api.fields import AgentId, Page
from api.idempotency import Command, idempotency
from api.pagination import (
    CursorParam,
    LimitParam,
    bad_cursor,
    decode_cursor,
    encode_cursor,
    id_cursor,
    id_page,
    number_cursor,
)
from api.routing import Resource
from api.v1.reputation.schemas import (
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
from domain.access import Actor, Permission
from domain.errors import Conflict, Forbidden, Invalid, NotFound
from domain.ids import is_id
from domain.reputation import boards, facts
from domain.reputation.boards import Period
from domain.reputation.evidence import Dimension
from domain.reputation.facts import FactKind, Says
from models.reputation import ReputationEventRow, ReputationFeedbackRow
from repositories import agent as agents
from repositories import audit
from repositories import reputation as store
from repositories.reputation import Fact, Standing
from runtime.database import driver_connection
from runtime.identity import new_id
from services import reputation

router = Resource(tags=["reputation"])

#: How far a history goes back in one request.
_MOST_DAYS = timedelta(days=366)
_FIRST = date(2000, 1, 1)

_RULES = [
    "A score is the share of good evidence, with one half as two observations before the first.",
    "Good evidence fades every night, by the platform's rate; bad evidence counts until good evidence comes in.",
    "An event counts by the value at stake, and at most what the commission that was paid in money buys.",
    "What a client decides counts by how far the client is trusted, and all that one client says is bounded.",
    "Work within one organization, between related ones, and for credits that were given away counts for nothing.",
]


async def _standing(deps: Deps, actor: Actor, agent_id: str) -> Standing:
    found = None
    if is_id(agent_id, "agt"):
        today = datetime.now(UTC).date()
        found = await deps.platform_pool.read(lambda pool: store.standing(pool, agent_id, actor.org_id, today))
    if found is None:
        raise NotFound(agents.MISSING)
    return found


@router.get("/reputation/score/{agent_id}", response_model=AgentScoreView, responses=errors(NotFound))
@called_directly
async def get_score(agent_id: str, deps: DepsDep, actor: ActorDep) -> Response:
    """Read what is known of an agent that the caller can see."""
    return answer(AgentScoreView.of(await _standing(deps, actor, agent_id), datetime.now(UTC).date()))


@router.get("/reputation/score/{agent_id}/explanation", response_model=ScoreExplanationView, responses=errors(NotFound))
async def explain_score(
    agent_id: str,
    deps: DepsDep,
    actor: ActorDep,
    limit: LimitParam = 50,
    cursor: CursorParam = None,
) -> ScoreExplanationView:
    """Explain an agent's score: the rules, and every event in a sentence, voided and excluded ones as well."""
    shown = AgentScoreView.of(await _standing(deps, actor, agent_id), datetime.now(UTC).date())
    permit(actor, Permission.INSPECT)
    before = number_cursor(cursor, "rev")
    async with deps.session_for(actor) as session:
        rows = await store.events_of(session, agent_id, before=before, limit=limit + 1)
    return ScoreExplanationView(
        agent_id=agent_id,
        overall_score=shown.overall_score,
        rules=_RULES,
        events=[ReputationEventView.of(row) for row in rows[:limit]],
        next_cursor=encode_cursor("rev", rows[limit - 1].seq) if len(rows) > limit else None,
    )


@router.get("/reputation/history/{agent_id}", response_model=Page[HistoryView], responses=errors(NotFound))
@called_directly
async def get_history(
    agent_id: str,
    deps: DepsDep,
    actor: ActorDep,
    since: Annotated[date | None, Query(alias="from", description="30 days before `to` when left out.")] = None,
    until: Annotated[date | None, Query(alias="to", description="Today when left out.")] = None,
    limit: LimitParam = 50,
    cursor: CursorParam = None,
) -> Response:
    """List what each night made of an agent's overall score, newest first; a year at most."""
    first, last = _range(since, until)
    if cursor is not None:
        last = min(last, _day_before(cursor))
    found = None
    if is_id(agent_id, "agt"):
        found = await deps.platform_pool.read(
            lambda pool: store.history(pool, agent_id, actor.org_id, since=first, until=last, limit=limit + 1)
        )
    if found is None:
        raise NotFound(agents.MISSING)
    shown = [HistoryView.of(row) for row in found[:limit]]
    return answer(Page(data=shown, next_cursor=encode_cursor("night", shown[-1].day) if len(found) > limit else None))


def _range(since: date | None, until: date | None) -> tuple[date, date]:
    last = min(until or date.max, datetime.now(UTC).date())
    first = since or max(last, _FIRST) - timedelta(days=30)
    if not timedelta(0) <= last - first <= _MOST_DAYS or last < _FIRST:
        raise Invalid("from must not be after to, and at most 366 days before it.", extra={"field": "from"})
    return first, last


def _day_before(cursor: str) -> date:
    try:
        return date.fromisoformat(decode_cursor(cursor, "night", str)[0]) - timedelta(days=1)
    except (ValueError, OverflowError):
        raise bad_cursor() from None


@router.get("/reputation/leaderboard", response_model=LeaderboardView, responses=errors(Forbidden))
@called_directly
async def get_leaderboard(
    deps: DepsDep,
    actor: ActorDep,
    dimension: Annotated[Dimension | None, Query(description="Rank by this dimension alone.")] = None,
    category: Annotated[
        str | None, Query(min_length=1, max_length=64, description="Only agents of this category.")
    ] = None,
    period: Annotated[Period, Query(description="Only agents whose latest evidence came in within it.")] = Period.ALL,
    minimum_evidence: Annotated[
        MinimumEvidence, Query(description="Events that counted, at least.")
    ] = MinimumEvidence.ONE,
    limit: Annotated[int, Query(ge=1, le=100)] = 10,
) -> Response:
    """List the agents that rank highest: the public ones, and the caller's own."""
    permit(actor, Permission.READ)
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
    return answer(
        LeaderboardView(
            dimension=dimension, category=category, period=period, minimum_evidence=minimum_evidence, data=leaders(rows)
        )
    )


@router.get("/reputation/distribution", response_model=DistributionView, responses=errors(Forbidden))
async def get_distribution(
    deps: DepsDep,
    dimension: Annotated[Dimension | None, Query(description="By this dimension alone.")] = None,
    category: Annotated[
        str | None, Query(min_length=1, max_length=64, description="Only agents of this category.")
    ] = None,
    actor: Actor = require(Permission.INSPECT),  # noqa: ARG001 - the role alone
) -> DistributionView:
    """Count how many agents rank where, among all with evidence. For operators and auditors of the platform."""
    rows = await deps.platform_pool.read(
        lambda pool: store.spread(
            pool,
            category=category or "",
            dimension="overall" if dimension is None else dimension.value,
            steps=boards.STEPS // PARTS,
        )
    )
    return DistributionView.of(rows, dimension, category)


@router.get("/reputation/peers/{agent_id}", response_model=PeersView, responses=errors(NotFound))
@called_directly
async def get_peers(agent_id: str, deps: DepsDep, actor: ActorDep) -> Response:
    """Read an agent's place among all agents with evidence, and among those of its category."""
    found = None
    if is_id(agent_id, "agt"):
        found = await deps.platform_pool.read(lambda pool: store.peers(pool, agent_id, actor.org_id))
    if found is None:
        raise NotFound(agents.MISSING)
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
        (Conflict, "reputation.own_agent"),
        (Conflict, "reputation.related"),
        (Conflict, "reputation.not_settled"),
        (Conflict, "reputation.already_given"),
        (Conflict, "reputation.window_closed"),
    ),
)
async def give_feedback(
    body: FeedbackCreate,
    deps: DepsDep,
    actor: Actor = require(Permission.APPROVE),
    command: Command = idempotency(required=False),
) -> Response:
    """Rate the agent of a contract that was settled, as its client: once, within the window."""

    async def give() -> FeedbackView:
        async with deps.database.platform() as session:
            row = await reputation.give_feedback(
                session,
                actor,
                body.contract_id,
                body.ratings,
                body.comment,
                command_id=command.command_id,
                now=datetime.now(UTC),
                window=deps.settings.feedback_window,
                policy=deps.settings.evidence_policy,
            )
            return FeedbackView.of(row)

    return await command.run(give, status_code=201)


@router.put(
    "/reputation/feedback/{feedback_id}",
    response_model=FeedbackView,
    responses=errors(NotFound, (Conflict, "reputation.window_closed")),
)
async def change_feedback(
    feedback_id: str,
    body: FeedbackChange,
    deps: DepsDep,
    actor: ActorDep,
    command: Command = idempotency(required=False),
) -> Response:
    """Change feedback, once and within the window. What it said before stops counting, and is kept."""

    async def change() -> FeedbackView:
        async with deps.session_for(actor) as session:
            if not is_id(feedback_id, "fbk") or await session.get(ReputationFeedbackRow, feedback_id) is None:
                raise NotFound(reputation.NO_FEEDBACK)
        permit(actor, Permission.APPROVE)
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
            return FeedbackView.of(row)

    return await command.run(change)


@router.get("/reputation/feedback", response_model=Page[FeedbackView], responses=errors(NotFound))
async def list_feedback(
    deps: DepsDep,
    agent_id: Annotated[AgentId, Query(description="The agent that was rated.")],
    limit: LimitParam = 50,
    cursor: CursorParam = None,
    actor: Actor = require(Permission.READ),
) -> Page[FeedbackView]:
    """List feedback on an agent, newest first: a tenant sees what it gave and what its own agents were given."""
    before = id_cursor(cursor, "fbk")
    async with deps.session_for(actor) as session:
        await agents.get(session, agent_id)
        rows = await store.feedback_of(session, agent_id, before=before, limit=limit + 1)
    return id_page(rows, limit, "fbk", FeedbackView.of)


def _promptness(body: EventCreate) -> tuple[Says, ...]:
    took_ms, target_ms = body.metadata.response_time_ms, body.metadata.response_target_ms
    if target_ms is None:
        return ()
    if took_ms is None:
        raise Invalid("A target needs the response time.", extra={"field": "metadata.response_time_ms"})
    if body.event_type is EventType.RESPONDED and body.score_delta:
        raise Invalid("The target says what the response time counts.", extra={"field": "score_delta"})
    return facts.says(FactKind.RESPONDED, facts.promptness_e4(took_ms, target_ms))


@router.post("/reputation/events", status_code=201, response_model=ReputationEventView, responses=errors(NotFound))
async def report_event(
    body: EventCreate,
    deps: DepsDep,
    actor: Actor = require(Permission.OPERATE),
    command: Command = idempotency(required=True),
) -> Response:
    """Report what happened outside of contracts: at most one unit of evidence, and a response time.

    A response time feeds average and percentile. Against `response_target_ms` it is evidence too: all good within it,
    half of it good at twice the target, and so on.
    """
    delta_e2 = round(body.score_delta * 100)
    if body.event_type is EventType.TASK_FAILED and delta_e2 > 0:
        raise Invalid("A task that failed has no positive score_delta.", extra={"field": "score_delta"})
    fact = Fact(
        id=new_id("rev"),
        kind=FactKind.REPORTED.value,
        key=command.command_id,
        subject=body.event_type.value,
        says=facts.reported(DIMENSIONS[body.event_type], delta_e2) + _promptness(body),
        note=body.note,
        response_ms=body.metadata.response_time_ms,
    )

    async def report() -> ReputationEventView:
        async with deps.session_for(actor) as session:
            agent = await agents.get(session, body.agent_id)
            row = await reputation.report(session, actor, agent.id, agent.org_id, fact, at=datetime.now(UTC))
            if row.id == fact.id:
                details = {"event_type": body.event_type.value, "agent_id": agent.id}
                await audit.record(session, actor, "reputation.report", row.id, details, agent.org_id)
            return ReputationEventView.of(row)

    return await command.run(report, status_code=201)


@router.get("/reputation/events/{event_id}", response_model=ReputationEventView, responses=errors(NotFound, Forbidden))
async def get_event(event_id: str, deps: DepsDep, actor: Actor = require(Permission.INSPECT)) -> ReputationEventView:
    """Read one event of an agent, void or not. For operators and auditors of the platform."""
    async with deps.session_for(actor) as session:
        row = await session.get(ReputationEventRow, event_id) if is_id(event_id, "rev") else None
        if row is None:
            raise NotFound("There is no such event.")
        return ReputationEventView.of(row)


@router.post("/reputation/events/{event_id}/void", response_model=ReputationEventView, responses=errors(NotFound))
async def void_event(
    event_id: str,
    body: VoidCreate,
    deps: DepsDep,
    actor: ActorDep,
    command: Command = idempotency(required=False),
) -> Response:
    """Void an event, so that the scores are as if it had not been; one that was voided stays as it is."""

    async def void() -> ReputationEventView:
        async with deps.session_for(actor) as session:
            row = await session.get(ReputationEventRow, event_id) if is_id(event_id, "rev") else None
            if row is None:
                raise NotFound("There is no such event.")
            permit(actor, Permission.OPERATE)
            connection = await driver_connection(session)
            by = actor.qualified()
            if await store.void(connection, event_id, by=by, reason=body.reason, at=datetime.now(UTC)):
                await audit.record(
                    session, actor, "reputation.void", event_id, {"reason": body.reason}, row.agent_org_id
                )
                await session.refresh(row)
            return ReputationEventView.of(row)

    return await command.run(void)
