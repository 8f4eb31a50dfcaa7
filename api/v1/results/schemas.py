"""What results look like over HTTP."""

from datetime import datetime
from typing import Self

from pydantic import Field, model_validator

from api.fields import Amount, Currency, Exact, OrganizationId, RequestModel, ResponseModel, SearchText, Share, example
from domain.common.access import Actor
from domain.common.money import format_amount, parse_amount, parse_ratio
from domain.returns.result import ACCEPTED_FROM_E6, Result, ResultSource, is_self_report
from domain.usage.amounts import from_scaled
from models.returns.result import ResultRow


class ResultCreate(RequestModel):
    """How well the work of a run or a task turned out."""

    model_config = example(run_id="run-17", task_kind="summary", score="0.92", value="1.50", currency="USD")

    organization_id: OrganizationId | None = Field(default=None, description="For operators: whose work it was.")
    run_id: SearchText | None = Field(default=None, description="The `run_id` of the usage events of the work.")
    task_id: SearchText | None = Field(
        default=None, description="Your id of the task, if the work has no run; its usage events name it as `run_id`."
    )
    task_kind: SearchText = Field(description="The kind of the task. Models are compared within one kind.")
    score: Share = Field(description="Between 0 and 1. From 0.5 on the result counts as accepted.")
    value: Amount | None = Field(default=None, description="What the result is worth, in `currency`.")
    currency: Currency | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.run_id is None) == (self.task_id is None):
            raise ValueError("Send run_id or task_id, and not both.")
        if (self.value is None) != (self.currency is None):
            raise ValueError("Send value and currency, or neither.")
        return self

    def result(self, actor: Actor, org_id: str, reference: str) -> Result:
        score_e6 = parse_ratio(self.score, "score") * 100
        return Result(
            org_id=org_id,
            run_id=self.run_id,
            task_id=self.task_id,
            agent_id=actor.agent_id,
            task_kind=self.task_kind,
            score_e6=score_e6,
            is_accepted=score_e6 >= ACCEPTED_FROM_E6,
            is_self_reported=is_self_report(actor),
            value_minor=None if self.currency is None else parse_amount(self.value or "", self.currency, zero=True),
            currency=self.currency,
            source=ResultSource.API,
            reference=reference,
            reported_by=actor.qualified(),
        )


class ResultView(ResponseModel):
    """One result."""

    id: str
    organization_id: str
    run_id: str | None
    task_id: str | None
    task_kind: str
    score: Exact
    accepted: bool
    self_reported: bool = Field(
        description="The key of an agent reported it. Such a result is kept, and counts in no figure."
    )
    value: Exact | None
    currency: str | None
    source: ResultSource
    recorded_at: datetime

    @classmethod
    def of(cls, row: ResultRow) -> Self:
        is_valued = row.value_minor is not None and row.currency is not None
        return cls.from_row(
            row,
            score=f"{from_scaled(row.score_e6, 6):f}",
            accepted=row.is_accepted,
            self_reported=row.is_self_reported,
            value=format_amount(row.value_minor or 0, row.currency or "") if is_valued else None,
        )
