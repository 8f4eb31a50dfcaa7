"""What allocations and trials look like over HTTP."""

from datetime import date, datetime
from typing import Annotated, Any, Self

from pydantic import Field

from api.fields import (
    AgentId,
    Amount,
    Currency,
    Exact,
    Moment,
    Ratio,
    RequestModel,
    ResponseModel,
    Share,
    Whole,
    example,
)
from api.v1.payments.schemas import MoneyView
from domain.common.errors import Invalid
from domain.common.money import format_amount, format_ratio, parse_amount, parse_ratio
from domain.marketplace.pricing.stored_terms import parse_bps
from domain.returns.allocation import (
    CEILING_E4,
    FLOOR_E4,
    MAX_CEILING_E4,
    AllocationLine,
    AllocationMode,
    AllocationStatus,
    LineBound,
    ShareBounds,
    explain_line,
)
from domain.returns.trial import MAX_STAGES, StopReason, TrialStage, TrialStatus
from models.returns.allocation import Allocation, AllocationSetting
from models.returns.trial import Trial
from services.returns.allocation import AllocationRequest
from services.returns.trial import TrialRequest as WantedTrial, stages_of


def _multiple(text: str, field: str) -> int:
    """Turn a plain number, such as 3 or 1.25, into ten-thousandths."""
    try:
        return parse_bps(text, field)
    except Invalid as refusal:
        raise Invalid(refusal.detail, extra={"field": field}) from None


class AllocationSettingSet(RequestModel):
    """How a project's budget is divided among its agents."""

    model_config = example(mode="propose", currency="USD", daily_amount="100.00", reinvest="0.25")

    mode: AllocationMode = Field(
        default=AllocationMode.PROPOSE,
        description="`propose` changes budgets once somebody accepts within 12 hours, `auto` at once.",
    )
    currency: Currency = Field(description="Of the project's budget, and of those of its agents.")
    daily_amount: Amount = Field(description="The money of a day, without what is reinvested.")
    floor: Share = Field(
        default=format_ratio(FLOOR_E4), description="The least that an agent gets, as a part of an equal share."
    )
    ceiling: Ratio = Field(
        default=format_ratio(CEILING_E4), description="The most that an agent gets, as a multiple of an equal share."
    )
    reinvest: Share = Field(default="0", description="The share of confirmed, matured profit that raises the next day.")

    def to_request(self) -> AllocationRequest:
        """Return it for the service to judge.

        Raises:
            Invalid: the amount is none of the currency, or the ceiling is below an equal share.
        """
        try:
            daily = parse_amount(self.daily_amount, self.currency)
        except Invalid as refusal:
            raise Invalid(refusal.detail, extra={"field": "daily_amount"}) from None
        ceiling = _multiple(self.ceiling, "ceiling")
        if not 10_000 <= ceiling <= MAX_CEILING_E4:
            raise Invalid("ceiling must be between 1 and 1000.", extra={"field": "ceiling"})
        return AllocationRequest(
            mode=self.mode,
            currency=self.currency,
            daily_minor=daily,
            bounds=ShareBounds(floor_e4=parse_ratio(self.floor, "floor"), ceiling_e4=ceiling),
            reinvest_bps=parse_ratio(self.reinvest, "reinvest"),
        )


class AllocationSettingView(ResponseModel):
    """How a project's budget is divided, and when it is next."""

    project_id: str
    organization_id: str
    mode: AllocationMode
    currency: str
    daily_amount: Exact
    floor: Exact
    ceiling: Exact
    reinvest: Exact
    next_night: date | None = Field(description="The day that is divided next; null in mode `off`.")
    next_at: datetime | None = Field(description="When it begins, in the zone of the project's budget.")
    updated_at: datetime

    @classmethod
    def of(cls, row: AllocationSetting) -> "AllocationSettingView":
        return cls.from_row(
            row,
            daily_amount=format_amount(row.daily_minor, row.currency),
            floor=format_ratio(row.floor_e4),
            ceiling=format_ratio(row.ceiling_e4),
            reinvest=format_ratio(row.reinvest_bps),
            next_night=None if row.next_at is None else row.next_night,
        )


class AllocationLineView(ResponseModel):
    """What one agent had and gets, and why."""

    agent_id: str
    agent_name: str
    old: Exact | None = Field(description="What it had for a day; null if it had no budget of a day.")
    new: Exact
    performance: Exact = Field(description="The lower bound of its reputation, from 0 to 1.")
    task: Exact = Field(description="The estimated cost of its open work.")
    time: Exact = Field(description="The part of the day that is within the term of its budget.")
    success: Exact = Field(
        description="An estimate of what each unit spent brings, by confirmed and matured revenue, of late more."
    )
    bound: LineBound = Field(
        description="What limited it: the minimum, the maximum, or the most that a share changes in a night."
    )
    reason: str

    @classmethod
    def of(cls, line: AllocationLine, name: str, currency: str) -> "AllocationLineView":
        terms = line.terms
        return cls.from_row(
            line,
            agent_name=name,
            old=None if line.old_minor is None else format_amount(line.old_minor, currency),
            new=format_amount(line.new_minor, currency),
            performance=format_ratio(terms.performance_e6 // 100),
            task=format_amount(terms.task_minor, currency),
            time=format_ratio(terms.time_e6 // 100),
            success=format_ratio(terms.success_e6 // 100),
            reason=explain_line(line, currency),
        )


class AllocationView(ResponseModel):
    """The allocation of a day of a project."""

    id: str
    organization_id: str
    project_id: str
    night: date = Field(description="The day, which begins with the night.")
    status: AllocationStatus
    currency: str
    total: Exact
    reinvested: Exact = Field(description="What of the total is profit.")
    agents: int
    left_out: list[str] = Field(description="Currencies without a rate: amounts in them are in no figure of it.")
    priced_at: MoneyView | None = Field(
        description="The price of one credit at which credits and money were converted: what was paid for the lots "
        "that are taken next. Null where nothing was."
    )
    answer_by: datetime | None = Field(description="Until when it can be accepted; null once it is not proposed.")
    applied_at: datetime | None
    applied_by: str | None
    created_at: datetime

    @classmethod
    def of(cls, row: Allocation, **more: Any) -> Self:
        return cls.from_row(
            row,
            total=format_amount(row.total_minor, row.currency),
            reinvested=format_amount(row.reinvested_minor, row.currency),
            agents=len(row.lines),
            priced_at=None if row.priced_at is None else MoneyView(**row.priced_at),
            **more,
        )


class AllocationDetailView(AllocationView):
    """The allocation of a day with all its lines, by agent."""

    lines: list[AllocationLineView]


class TrialStageSet(RequestModel):
    """A stage of a trial."""

    due_at: Moment
    share: Share = Field(description="Its part of the amount; those of all stages add up to 1.")
    results: Annotated[Whole, Field(ge=0, le=1_000_000)] = Field(
        default=0, description="How many accepted results there must be by then. What the agent reports does not count."
    )
    roi: Ratio | None = Field(
        default=None, description="What the lower bound of its confirmed, matured ROI must be by then; 0 is no margin."
    )

    def stage(self) -> TrialStage:
        return TrialStage(
            due_at=self.due_at,
            share_bps=parse_ratio(self.share, "stages.share"),
            results=self.results,
            roi_e4=None if self.roi is None else _multiple(self.roi, "stages.roi"),
        )


class TrialCreate(RequestModel):
    """A new trial of an agent, which has no budget in the currency yet."""

    model_config = example(
        agent_id="agt_01kar6h2d8e4wvq3r5s7t9x1zy",
        amount="300.00",
        currency="USD",
        stages=[
            {"due_at": "2026-12-01T00:00:00Z", "share": "0.2"},
            {"due_at": "2026-12-08T00:00:00Z", "share": "0.8", "results": 5},
        ],
    )

    agent_id: AgentId
    amount: Amount
    currency: Currency
    stages: list[TrialStageSet] = Field(min_length=1, max_length=MAX_STAGES, description="The first due comes first.")

    def to_request(self) -> WantedTrial:
        return WantedTrial(
            currency=self.currency,
            amount_minor=parse_amount(self.amount, self.currency),
            stages=tuple(each.stage() for each in self.stages),
        )


class TrialStageView(ResponseModel):
    """A stage of a trial."""

    due_at: datetime
    share: Exact
    results: int
    roi: Exact | None
    paid: bool


class TrialView(ResponseModel):
    """A trial of an agent, and how far it has come."""

    id: str
    organization_id: str
    agent_id: str
    agent_name: str
    budget_id: str = Field(
        description="The agent's budget, whose lifetime each stage raises. Close it to stop the trial."
    )
    status: TrialStatus
    stopped_by: StopReason | None = Field(description="The bar that was not reached; null unless it was stopped.")
    amount: Exact
    paid: Exact
    currency: str
    stages: list[TrialStageView]
    next_at: datetime | None = Field(description="When the next stage is due; null once the trial has ended.")
    created_by: str
    created_at: datetime

    @classmethod
    def of(cls, row: Trial, name: str, budget_id: str) -> "TrialView":
        return cls.from_row(
            row,
            agent_name=name,
            budget_id=budget_id,
            stopped_by=None if row.stopped_by is None else StopReason(row.stopped_by),
            amount=format_amount(row.amount_minor, row.currency),
            paid=format_amount(row.paid_minor, row.currency),
            stages=[
                TrialStageView.from_row(
                    stage,
                    share=format_ratio(stage.share_bps),
                    roi=None if stage.roi_e4 is None else format_ratio(stage.roi_e4),
                    paid=at < row.paid,
                )
                for at, stage in enumerate(stages_of(row))
            ],
        )
