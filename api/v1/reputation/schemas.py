"""Request and response schemas of reputation."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from enum import IntEnum, StrEnum
from typing import Annotated, Any

from pydantic import Field

from api.fields import AgentId, ContractId, Note, RequestModel, ResponseModel, SearchText, Whole, example
from api.pictures import picture_url
from domain.reputation.boards import MINIMUMS, Period, percentile
from domain.reputation.evidence import ONE_E6, Dimension
from domain.reputation.facts import SENTENCES, FactKind
from domain.reputation.score import Score, overall, stars
from domain.reputation.score_changes import ScoreChange, Trend, largest_changes, success_rate_e2, trend
from domain.reputation.timing import average_ms, percentile_ms
from models.reputation.reputation import ReputationEventRow, ReputationFeedbackRow
from repositories.reputation.reputation import AgentReputation

#: A dimension without evidence: the middle of the scale, with bounds that exclude almost nothing.
UNKNOWN = Score(500_000, 26_572, 973_428)


def points(share_e6: int) -> float:
    """Return a share as points of 0 to 10, in hundredths."""
    return share_e6 // 1_000 / 100


def change(share_e6: int) -> float:
    return round(share_e6 / 100_000, 3)


class ScoreView(ResponseModel):
    """A score of 0 to 10. Nine times out of ten the true value lies between `low` and `high`."""

    score: float
    low: float
    high: float
    evidence_count: int = Field(description="The number of events that counted.")


class MoveView(ResponseModel):
    """An event, and how it changed the overall score."""

    event_id: str
    kind: FactKind
    at: datetime
    score_delta: float = Field(description="By how many points, on the scale of 0 to 10, the overall score changed.")


class AgentScoreView(ResponseModel):
    """The reputation of an agent."""

    agent_id: str
    overall_score: float = Field(description="From 0 to 10; 5.0 without evidence.")
    stars: float = Field(description="The overall score on a scale of 0 to 5.")
    low: float = Field(description="Nine times out of ten the overall score lies between `low` and `high`.")
    high: float
    is_certain: bool = Field(description="Whether `low` and `high` are less than two points apart.")
    trend: Trend = Field(description="The direction of the overall score in the last 30 days.")
    change: float = Field(description="By how many points the overall score changed in the last 30 days.")
    task_success_rate: float = Field(
        description="The percentage of contracts that ended well; 100.0 if there are none."
    )
    avg_response_time_ms: int
    p95_response_time_ms: int
    evidence_count: int
    dimensions: dict[Dimension, ScoreView]
    moved_most: list[MoveView] = Field(description="The latest events that changed the score most.")

    @classmethod
    def of(cls, found: AgentReputation, today: date) -> "AgentScoreView":
        scores = dict.fromkeys(Dimension, UNKNOWN)
        scores |= {each: stars(row, found.rate_e4) for each, row in found.rows.items()}
        whole = overall(scores)
        latest = {event["id"]: event for event in found.latest}
        moves = [ScoreChange(e["id"], date.fromisoformat(e["day"]), e["score_delta_e6"]) for e in found.latest]
        return cls.from_row(
            found,
            overall_score=points(whole.mean_e6),
            stars=points(whole.mean_e6) / 2,
            low=points(whole.low_e6),
            high=points(whole.high_e6),
            is_certain=whole.high_e6 - whole.low_e6 < ONE_E6 // 5,
            trend=trend(found.before_e6, whole.mean_e6),
            change=change(whole.mean_e6 - found.before_e6),
            task_success_rate=success_rate_e2(found.succeeded, found.ended) / 100,
            avg_response_time_ms=average_ms(found.timing),
            p95_response_time_ms=percentile_ms(found.timing),
            dimensions={
                each: ScoreView(
                    score=points(score.mean_e6),
                    low=points(score.low_e6),
                    high=points(score.high_e6),
                    evidence_count=found.counts.get(each, 0),
                )
                for each, score in scores.items()
            },
            moved_most=[
                MoveView(
                    event_id=move.event_id,
                    kind=latest[move.event_id]["kind"],
                    at=latest[move.event_id]["at"],
                    score_delta=change(move.delta_e6),
                )
                for move in largest_changes(moves, today, rate_e4=found.rate_e4)
            ],
        )


class LeaderView(ResponseModel):
    """A place on the leaderboard."""

    rank: int
    agent_id: str
    name: str
    picture_url: str | None = Field(description="The path of the agent's picture; null without one.")
    score: float = Field(description="The mean score, from 0 to 10.")
    rank_score: float = Field(
        description="The value that ranks the agent: its expected score less one standard deviation."
    )
    evidence_count: int


class MinimumEvidence(IntEnum):
    """The least evidence: events that counted, each by its weight and one at most; 1 is any."""

    ONE, FIVE, TWENTY, HUNDRED = MINIMUMS


class LeaderboardView(ResponseModel):
    """The agents that rank highest, in descending order."""

    dimension: Dimension | None
    category: str | None
    period: Period
    minimum_evidence: MinimumEvidence
    data: list[LeaderView]


#: The number of parts into which a distribution divides the scale of 0 to 10.
PARTS = 20


class PartView(ResponseModel):
    """The number of agents with a rank score within one part of the scale of 0 to 10."""

    since: float = Field(serialization_alias="from", description="The lowest rank score of the part.")
    to: float = Field(description="The rank score at which the part ends, excluded. The last part includes 10.")
    agents: int


class DistributionView(ResponseModel):
    """The distribution of rank scores of agents with evidence, as counted last night, without names."""

    dimension: Dimension | None
    category: str | None
    as_of: date | None = Field(description="The date of the count; null before the first one.")
    agents: int
    data: list[PartView] = Field(description="All parts, in ascending order.")

    @classmethod
    def of(
        cls, rows: "Sequence[Mapping[str, Any]]", dimension: Dimension | None, category: str | None
    ) -> "DistributionView":
        """Build the view from rows of `repositories.reputation.reputation.rank_distribution`."""
        found = [0] * PARTS
        for row in rows:
            found[min(row["place"], PARTS - 1)] += row["agents"]
        return cls(
            dimension=dimension,
            category=category,
            as_of=max((row["day"] for row in rows), default=None),
            agents=sum(found),
            data=[
                PartView(since=part * 10 / PARTS, to=(part + 1) * 10 / PARTS, agents=agents)
                for part, agents in enumerate(found)
            ],
        )


def leaders(rows: "Sequence[Mapping[str, Any]]") -> list[LeaderView]:
    """Build the views of rows, in their order."""
    return [
        LeaderView(
            rank=number,
            agent_id=row["id"],
            name=row["name"],
            picture_url=picture_url(f"/agents/{row['id']}/picture", row["picture_sha256"]),
            score=points(row["stars_e6"]),
            rank_score=points(row["rank_e6"]),
            evidence_count=row["evidence_count"],
        )
        for number, row in enumerate(rows, 1)
    ]


class HistoryView(ResponseModel):
    """An agent's overall score after the nightly count of a date. Dates on which it did not change are left out."""

    day: date
    score: float
    low: float = Field(description="Nine times out of ten the score lay between `low` and `high`.")
    high: float
    change: float = Field(description="By how many points it differs from the last score before.")
    rank_score: float
    evidence_count: int
    dimensions: dict[Dimension, float] = Field(description="The scores by dimension.")
    is_sudden: bool = Field(description="Whether operators got an alert about the change.")

    @classmethod
    def of(cls, row: "Mapping[str, Any]") -> "HistoryView":
        return cls(
            day=row["day"],
            score=points(row["stars_e6"]),
            low=points(row["low_e6"]),
            high=points(row["high_e6"]),
            change=change(row["moved_e6"]),
            rank_score=points(row["rank_e6"]),
            evidence_count=row["evidence_count"],
            dimensions={each: points(value) for each, value in zip(Dimension, row["dimensions_e6"], strict=True)},
            is_sudden=row["is_sudden"],
        )


class PlaceView(ResponseModel):
    """An agent's place among its peers, who are not named."""

    peers: int = Field(description="The number of agents with evidence, including this one.")
    percentile: int | None = Field(
        description=(
            "The percentage of peers that rank lower; peers of equal rank count half. Null if the agent has no "
            "evidence or there are fewer than ten peers."
        )
    )
    dimensions: dict[Dimension, int | None] = Field(
        description="The same percentage by dimension, among the agents with evidence in it."
    )

    @classmethod
    def of(cls, rows: "Sequence[Mapping[str, Any]]") -> "PlaceView":
        places = {row["dimension"]: percentile(row["below"], row["equal"], row["peers"]) for row in rows}
        return cls(
            peers=next((row["peers"] for row in rows if row["dimension"] == "overall"), 0),
            percentile=places.pop("overall", None),
            dimensions={Dimension(name): percent for name, percent in places.items()},
        )


class PeersView(PlaceView):
    """An agent's place among all agents with evidence, as counted last night."""

    agent_id: str
    evidence_count: int
    as_of: date | None = Field(description="The date of the count; null before the first one.")
    category: str | None
    in_category: PlaceView | None = Field(description="The place among the agents of its category.")


Ratings = Annotated[
    dict[Annotated[str, Field(max_length=64)], Whole],
    Field(description="Ratings of 1 to 5, by dimension.", max_length=20),
]


class FeedbackChange(RequestModel):
    """The new content of feedback. It replaces the old one."""

    model_config = example(ratings={"quality": 4}, comment="Better after the second look.")

    ratings: Ratings
    comment: Note | None = None


class FeedbackCreate(RequestModel):
    """A client's feedback on a settled contract. Callers that see the agent read it, without the client's name."""

    model_config = example(
        contract_id="ctr_01h455vb4pex5vsknk084sn02q",
        ratings={"quality": 5, "collaboration": 4},
        comment="Clear summaries, on time.",
    )

    contract_id: ContractId
    ratings: Ratings
    comment: Note | None = None


class FeedbackView(ResponseModel):
    """Feedback. Only its two parties and the platform see who gave it, and on which contract."""

    id: str
    contract_id: str | None = Field(description="Null for others than the two parties.")
    agent_id: str
    agent_name: str | None
    organization_id: str | None = Field(description="The client's organization; null for others.")
    organization_name: str | None
    ratings: dict[Dimension, int]
    comment: str | None
    event_id: str | None = Field(description="The event that counts; null for others.")
    created_at: datetime
    changed_at: datetime | None

    @classmethod
    def of(cls, row: ReputationFeedbackRow, names: Mapping[str, str], viewer: str | None) -> "FeedbackView":
        """Show a row; `names` has the names of agents and organizations by their ids."""
        is_named = viewer in {None, row.org_id, row.agent_org_id}
        return cls.from_row(
            row,
            contract_id=row.contract_id if is_named else None,
            agent_name=names.get(row.agent_id),
            organization_id=row.org_id if is_named else None,
            organization_name=names.get(row.org_id) if is_named else None,
            ratings={Dimension(name): rating for name, rating in row.ratings.items()},
            event_id=row.event_id if is_named else None,
        )


class EventType(StrEnum):
    """The types of events that an operator can report."""

    TASK_COMPLETED = "task_completed"
    TASK_FAILED = "task_failed"
    RESPONDED = "responded"
    RELIABILITY_OBSERVED = "reliability_observed"
    COLLABORATION_OBSERVED = "collaboration_observed"
    QUALITY_REVIEWED = "quality_reviewed"
    SLA_KEPT = "sla_kept"
    SLA_MISSED = "sla_missed"


#: The dimension in which each type counts.
DIMENSIONS: Mapping[EventType, Dimension] = {
    EventType.TASK_COMPLETED: Dimension.TASK_SUCCESS,
    EventType.TASK_FAILED: Dimension.TASK_SUCCESS,
    EventType.RESPONDED: Dimension.RESPONSE_TIME,
    EventType.RELIABILITY_OBSERVED: Dimension.RELIABILITY,
    EventType.COLLABORATION_OBSERVED: Dimension.COLLABORATION,
    EventType.QUALITY_REVIEWED: Dimension.QUALITY,
    EventType.SLA_KEPT: Dimension.RELIABILITY,
    EventType.SLA_MISSED: Dimension.RELIABILITY,
}
#: The types that are good or bad by themselves, and the sign of `score_delta` that would contradict them.
CONTRADICTED: Mapping[EventType, int] = {EventType.TASK_FAILED: 1, EventType.SLA_MISSED: 1, EventType.SLA_KEPT: -1}


class EventMetadata(RequestModel):
    """The measured values."""

    response_time_ms: Whole | None = Field(default=None, ge=0, le=2**30)
    response_target_ms: Whole | None = Field(
        default=None,
        ge=1,
        le=2**30,
        description=(
            "The promised response time. The response time counts against it as one unit of evidence. Needs "
            "`response_time_ms`."
        ),
    )


class EventCreate(RequestModel):
    """An event outside of contracts that an operator reports."""

    model_config = example(
        agent_id="agt_01h455vb4pex5vsknk084sn02q",
        event_type="task_completed",
        score_delta=0.5,
        metadata={"response_time_ms": 840},
    )

    agent_id: AgentId
    event_type: EventType
    score_delta: float = Field(
        default=0,
        ge=-1,
        le=1,
        multiple_of=0.01,
        description=(
            "How much of one unit of evidence it is, from -1 (bad) to 1 (good). With 0, `sla_kept` counts as half a "
            "unit of good evidence and `sla_missed` as half a unit of bad; other types count nothing."
        ),
    )
    metadata: EventMetadata = EventMetadata()
    note: Note | None = None


class VoidCreate(RequestModel):
    """Why an event no longer counts."""

    model_config = example(reason="The payment behind it was charged back.")

    reason: SearchText


_WHY = {
    "own": "it does not count, because client and agent belong to one organization",
    "related": "it does not count, because the two organizations are related",
    "probe": "it does not count, because it is the platform's own traffic",
    "unpaid": "it does not count, because no commission was paid for it in money",
}


def sentence(row: ReputationEventRow) -> str:
    fact = f"{SENTENCES[FactKind(row.kind)]} ({row.subject})"
    if row.voided_at is not None:
        return f"{fact}; it was voided by {row.voided_by}: {row.void_reason}"
    if row.excluded is not None:
        return f"{fact}; {_WHY[row.excluded]}."
    rule = f"it counts {row.weight_e6 / ONE_E6:.3f} units by value, commission"
    rule += f" and a trust in the client of {row.rater_e6 / ONE_E6:.2f}" if row.rater_e6 < ONE_E6 else " and facts"
    if row.source == "operator":
        rule = f"it counts {row.weight_e6 / ONE_E6:.3f} units, bounded for all that operators report"
    elif row.counterparty is not None:
        rule += ", bounded for all that this client says"
    return f"{fact}; {rule}, and moved the overall score by {change(row.score_delta_e6):+.3f} points."


class ReputationEventView(ResponseModel):
    """An event of an agent, as operators see it."""

    id: str
    agent_id: str
    kind: FactKind
    subject: str
    counterparty_organization_id: str | None
    weight: float = Field(description="The weight, in units of evidence.")
    excluded: str | None = Field(
        description="Why it does not count: `own`, `related`, `probe` or `unpaid`; null if it counts."
    )
    score_delta: float
    at: datetime
    voided_at: datetime | None
    void_reason: str | None
    sentence: str

    @classmethod
    def of(cls, row: ReputationEventRow) -> "ReputationEventView":
        return cls.from_row(
            row,
            counterparty_organization_id=row.counterparty_org_id,
            weight=row.weight_e6 / ONE_E6,
            score_delta=change(row.score_delta_e6),
            sentence=sentence(row),
        )


class ScoreExplanationView(ResponseModel):
    """Why an agent has its score: the rules, and a page of its events, newest first."""

    agent_id: str
    overall_score: float
    rules: list[str]
    events: list[ReputationEventView]
    next_cursor: str | None
