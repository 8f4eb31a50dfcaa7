"""Schemas of figures and comparisons of models."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Self

from pydantic import Field

from api.fields import Exact, ResponseModel
from domain.returns.model_economics import Comparison, ComparisonVerdict, Estimate, Grouping, ModelFigures
from domain.usage.amounts import format_pico, from_scaled
from domain.usage.model_class import ModelClass, Size
from domain.usage.token_usage import Mode
from services.returns.model_economics import PeriodFigures


class ModelEstimateView(ResponseModel):
    """An estimate with its 95 % interval."""

    value: Exact
    low: Exact
    high: Exact


class ModelFigureView(ResponseModel):
    """The figures of a group in a currency; dimensions that it is not grouped by are null."""

    model: str | None = Field(description="Null also for runs with several models, or without reported calls.")
    mode: Mode | None
    task_kind: str | None
    provider: str | None
    family: str | None
    size: Size | None
    reasoning: bool | None = Field(description="Whether the model can reason, by the price list or its name.")
    currency: str | None = Field(description="Of the costs; null for calls without a cost.")
    calls: int
    estimated_calls: int = Field(description="Calls with a unit that a substitute's price applies to.")
    tokens: int
    output_tokens: int = Field(description="Including reasoning tokens.")
    cost: Exact
    cost_per_1000_tokens: Exact | None
    cost_per_call: Exact | None
    results: int = Field(description="Runs with a result that counts.")
    accepted_results: int
    cost_per_accepted_result: Exact | None = Field(description="The cost of all runs with a result per accepted one.")
    output_tokens_per_second: Exact | None = Field(description="Of calls with a reported duration.")
    score: Exact | None = Field(description="The mean score.")
    success: ModelEstimateView | None = Field(description="The share of accepted results.")

    @classmethod
    def of(cls, line: ModelFigures, found: ModelClass | None) -> Self:
        sums, success = line.sums, line.success_e6
        return cls.from_row(
            line,
            mode=None if line.mode is None else Mode(line.mode),
            provider=None if found is None else found.provider,
            family=None if found is None else found.family,
            size=None if found is None else found.size,
            reasoning=None if found is None else found.is_reasoning,
            calls=sums.calls,
            estimated_calls=sums.estimated,
            tokens=sums.tokens,
            output_tokens=sums.output_tokens,
            cost=format_pico(sums.cost_pico),
            cost_per_1000_tokens=_pico(line.per_1000_tokens_pico),
            cost_per_call=_pico(line.per_call_pico),
            results=sums.runs,
            accepted_results=sums.accepted,
            cost_per_accepted_result=_pico(line.per_accepted_pico),
            output_tokens_per_second=_decimal(line.tokens_per_second_e2, 2),
            score=_decimal(line.score_e6, 6),
            success=None if success is None else _estimate(Estimate(*success), 6),
        )


class ModelFiguresView(ResponseModel):
    """Cost and success of models, in whole days in UTC."""

    organization_id: str
    start_date: date
    end_date: date = Field(description="The last day.")
    by: list[Grouping]
    complete: bool = Field(description="False if the period has more results than were read.")
    self_reported: int = Field(description="The number of self-reported results, which do not count.")
    data: list[ModelFigureView]

    @classmethod
    def of(
        cls,
        org_id: str,
        first: date,
        end: date,
        by: Sequence[Grouping],
        found: PeriodFigures,
        classes: Mapping[str, ModelClass],
    ) -> Self:
        """Show the figures of the days from `first` to `end`, exclusive."""
        return cls(
            organization_id=org_id,
            start_date=first,
            end_date=end - timedelta(days=1),
            by=list(by),
            complete=found.is_complete,
            self_reported=found.self_reported,
            data=[ModelFigureView.of(line, classes.get(line.model or "")) for line in found.lines],
        )


class ModelComparisonView(ResponseModel):
    """The effect of choosing `b` instead of `a` on a run, within the same kind of task and size of input."""

    organization_id: str
    start_date: date
    end_date: date = Field(description="The last day.")
    a: str
    b: str
    currency: str
    verdict: ComparisonVerdict = Field(description="Whether `b` is worth it over `a`.")
    randomised: bool = Field(
        description=(
            "Whether the model of each run compared was drawn at random, independently of the task. Runs are "
            "weighted by one over their probability."
        )
    )
    results_a: int = Field(description="Runs of `a` with a result; `compared_a` of them are in a group with runs of b.")
    results_b: int
    compared_a: int
    compared_b: int
    groups: int = Field(description="Groups of a kind of task and size of input with runs of both models.")
    cost_difference: ModelEstimateView | None = Field(description="The additional cost of a run of `b`.")
    success_difference: ModelEstimateView | None = Field(description="Success rate of `b` minus that of `a`.")
    naive_success_difference: Exact | None = Field(
        description="The same over all tasks together, which misleads if harder tasks go to one of the models."
    )
    cost_per_additional_success: Exact | None = Field(
        description="Null unless `b` costs more and succeeds more often, both with confidence."
    )
    value: Exact | None = Field(description="The assumed value of an accepted result; null if it is unknown.")

    @classmethod
    def of(cls, org_id: str, first: date, end: date, found: Comparison) -> Self:
        """Show a comparison over the days from `first` to `end`, exclusive."""
        return cls.from_row(
            found,
            organization_id=org_id,
            start_date=first,
            end_date=end - timedelta(days=1),
            a=str(found.a),
            b=str(found.b),
            randomised=found.is_randomised,
            results_a=found.all_a,
            results_b=found.all_b,
            compared_a=found.runs_a,
            compared_b=found.runs_b,
            groups=found.strata,
            cost_difference=_estimate(found.cost_pico, 12),
            success_difference=_estimate(found.success_e6, 6),
            naive_success_difference=_decimal(found.naive_success_e6, 6),
            cost_per_additional_success=_pico(found.per_success_pico),
            value=_pico(found.value_pico),
        )


def _pico(amount_pico: int | None) -> str | None:
    return None if amount_pico is None else format_pico(amount_pico)


def _decimal(whole: int | None, scale: int) -> str | None:
    return None if whole is None else f"{from_scaled(whole, scale):f}"


def _estimate(found: Estimate | None, scale: int) -> ModelEstimateView | None:
    if found is None:
        return None
    value, low, high = (f"{from_scaled(each, scale):f}" for each in found)
    return ModelEstimateView(value=value, low=low, high=high)
