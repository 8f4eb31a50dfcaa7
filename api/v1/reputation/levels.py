"""Levels by reputation: operators set them, everybody reads them, and each organization gets its own explained."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated

from pydantic import Field, StringConstraints
from starlette.responses import Response

from api.auth import ActorDep, permit, require
from api.deps import DepsDep
from api.errors import errors
from api.fields import Amount, Currency, Exact, Name, RequestModel, ResponseModel, Whole, example
from api.idempotency import MayRepeat
from api.routing import Resource
from domain.common.access import Actor, Permission
from domain.common.errors import NotFound, ReputationLevelsInvalid
from domain.common.money import format_amount, parse_amount
from domain.reputation.levels import (
    FIRST_PRIORITY,
    LAST_PRIORITY,
    MAX_LEVELS,
    USUAL_PRIORITY,
    Level,
    commission_rule,
    commission_source,
    reason,
)
from domain.reputation.score import points
from models.reputation.reputation import ReputationLadderRow
from repositories.marketplace import agent as agents
from repositories.reputation import level as store
from services.reputation import level as levels

router = Resource(tags=["reputation"])

Score = Annotated[
    str,
    StringConstraints(pattern=r"^([0-9](\.[0-9]{1,2})?|10(\.0{1,2})?)$"),
    Field(json_schema_extra={"format": "decimal"}),
]
Entitlement = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_.-]{0,59}$")]
Limits = Annotated[dict[Currency, Amount], Field(max_length=20)]


class LevelBody(RequestModel):
    """A level of reputation and its terms."""

    name: Name
    from_score: Score = Field(default="0", description="The lowest rank score of the level, from 0 to 10.")
    least_evidence: Annotated[Whole, Field(ge=0, le=1_000_000)] = 0
    commission_bps: Annotated[Whole, Field(ge=0, le=10_000)] | None = Field(
        default=None, description="The commission of new contracts; the platform's usual one when left out."
    )
    escrow_limits: Limits = Field(default_factory=dict, description="The largest contract, by currency.")
    exposure_limits: Limits = Field(
        default_factory=dict, description="How much of an organization's work may be unsettled, by currency."
    )
    priority: Annotated[Whole, Field(ge=FIRST_PRIORITY, le=LAST_PRIORITY)] = Field(
        default=USUAL_PRIORITY, description="The priority of escrows while queues are long; 1 goes first."
    )
    entitlements: Annotated[list[Entitlement], Field(max_length=20)] = Field(
        default_factory=list, description="Further rights of agents on this level.", examples=[["priority_access"]]
    )
    hold_back_days: Annotated[Whole, Field(ge=0, le=365)] | None = Field(
        default=None,
        description=(
            "How many days earnings are held back before they can be paid out, but never less than the platform's "
            "minimum; the usual time when left out."
        ),
    )

    def level(self) -> Level:
        return Level(
            name=self.name,
            from_e6=int(Decimal(self.from_score) * 100_000),
            least_evidence=self.least_evidence,
            commission_bps=self.commission_bps,
            escrow_limits=_minor(self.escrow_limits),
            exposure_limits=_minor(self.exposure_limits),
            priority=self.priority,
            entitlements=tuple(sorted(set(self.entitlements))),
            hold_back_days=self.hold_back_days,
        )

    @classmethod
    def of(cls, level: Level) -> "LevelBody":
        return cls(
            name=level.name,
            from_score=points(level.from_e6),
            least_evidence=level.least_evidence,
            commission_bps=level.commission_bps,
            escrow_limits=_shown(level.escrow_limits),
            exposure_limits=_shown(level.exposure_limits),
            priority=level.priority,
            entitlements=list(level.entitlements),
            hold_back_days=level.hold_back_days,
        )


def _minor(limits: Mapping[str, str]) -> dict[str, int]:
    return {currency: parse_amount(amount, currency) for currency, amount in limits.items()}


def _shown(limits: Mapping[str, int]) -> dict[str, str]:
    return {currency: format_amount(amount, currency) for currency, amount in limits.items()}


class LadderWrite(RequestModel):
    """All levels, in ascending order. An empty list turns levels off."""

    model_config = example(
        levels=[
            {"name": "new", "escrow_limits": {"CREDIT": "500"}, "exposure_limits": {"CREDIT": "1000"}},
            {"name": "trusted", "from_score": "7.50", "least_evidence": 20, "commission_bps": 300, "priority": 2},
        ]
    )

    levels: Annotated[list[LevelBody], Field(max_length=MAX_LEVELS)]


class LadderView(ResponseModel):
    """The current levels."""

    version: int = Field(description="The number of the version; 0 before operators have set any.")
    levels: list[LevelBody]
    created_by: str | None
    created_at: datetime | None

    @classmethod
    def of(cls, row: ReputationLadderRow | None) -> "LadderView":
        if row is None:
            return cls(version=0, levels=[], created_by=None, created_at=None)
        ladder = store.ladder_of({"version": row.version, "levels": row.levels})
        return cls.from_row(row, levels=[LevelBody.of(level) for level in ladder.levels])


class ExposureView(ResponseModel):
    """The limit of an organization's unsettled work in one currency, and its amount now."""

    currency: str
    limit: Exact
    unsettled: Exact
    left: Exact


class AgentLevelView(ResponseModel):
    """The terms that an agent's reputation gives it, and the reasons."""

    agent_id: str
    version: int
    level: str | None = Field(description="Null if there are no levels.")
    commission_bps: int
    commission_rule: str
    escrow_limits: dict[str, Exact]
    exposure: list[ExposureView] = Field(
        description="The limits of the agent's organization, by the level of its best agent."
    )
    priority: int
    entitlements: list[str]
    reasons: list[str] = Field(description="One sentence for each level.")


@router.get("/reputation/levels")
async def get_levels(deps: DepsDep, actor: Actor = require(Permission.READ)) -> LadderView:
    """Read the levels of reputation, and the terms that each level gives."""
    async with deps.session_for(actor) as session:
        return LadderView.of(await store.newest(session))


@router.put("/reputation/levels", response_model=LadderView, responses=errors(ReputationLevelsInvalid))
async def set_levels(
    body: LadderWrite, deps: DepsDep, *, actor: Actor = require(Permission.OPERATE), command: MayRepeat
) -> Response:
    """Set the levels, as a new version. Existing contracts and quotes keep their terms. For operators."""
    async with command, deps.database.platform() as session:
        row = await levels.write(
            session,
            actor,
            [level.level() for level in body.levels],
            usual_commission_bps=deps.settings.commission_bps,
            usual_hold_back=deps.settings.payout_hold_back,
            command_id=command.command_id,
        )
        return command.answer(LadderView.of(row))


@router.get("/reputation/levels/{agent_id}")
async def explain_level(agent_id: str, deps: DepsDep, actor: ActorDep) -> AgentLevelView:
    """Explain the level of an agent, and its terms. For its organization and the platform."""
    async with deps.session_for(actor) as session:
        agent = await agents.get(session, agent_id)
    if actor.org_id not in {None, agent.org_id}:
        raise NotFound(agents.MISSING)
    permit(actor, Permission.READ)
    async with deps.database.platform() as session:
        ladder, rank = await store.of_agent(session, agent_id)
        best = await store.of_organization(session, agent.org_id)
        unsettled = await store.unsettled(session, agent.org_id)
    level, usual = ladder.level_of(rank), deps.settings.commission_bps
    name = None if level is None else level.name
    return AgentLevelView(
        agent_id=agent_id,
        version=ladder.version,
        level=name,
        commission_bps=usual if level is None or level.commission_bps is None else level.commission_bps,
        commission_rule=commission_rule(commission_source(level), ladder.version, name, None),
        escrow_limits=_shown({} if level is None else level.escrow_limits),
        exposure=[
            ExposureView(
                currency=currency,
                limit=format_amount(limit, currency),
                unsettled=format_amount(open_minor := unsettled.get(currency, 0), currency),
                left=format_amount(max(0, limit - open_minor), currency),
            )
            for currency, limit in ({} if best is None else best.exposure_limits).items()
        ],
        priority=USUAL_PRIORITY if level is None else level.priority,
        entitlements=[] if level is None else list(level.entitlements),
        reasons=[reason(rank, each) for each in ladder.levels],
    )
