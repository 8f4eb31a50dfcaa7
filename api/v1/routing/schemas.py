"""What routing decisions look like over HTTP."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import Field

from api.fields import AgentId, Amount, Currency, Exact, Name, RequestModel, ResponseModel, SearchText, Share, example
from api.v1.payments.schemas import MoneyView
from domain.common.errors import Invalid
from domain.common.ids import uuid_id
from domain.common.money import parse_ratio
from domain.returns.route import ExclusionReason, RankedCandidate, RoutingRequest, explain_rank
from domain.usage.amounts import format_pico, from_scaled, parse_decimal, to_scaled
from models.returns.route import RoutingDecision
from services.returns.route import MOST_CANDIDATES

_Candidates = Annotated[list[Name], Field(min_length=1, max_length=MOST_CANDIDATES)]


class RoutingDecisionCreate(RequestModel):
    """A call for which a model or an agent is to be chosen."""

    model_config = example(task_kind="summary", candidates=["gpt-4o", "gpt-4o-mini"], value="0.05", currency="USD")

    task_kind: SearchText = Field(description="Your word for the kind of task. Results are learned by it.")
    candidates: _Candidates | None = Field(
        default=None,
        description=(
            "Names of models and ids of agents. By default the ten models that you used most in the last 30 days, and "
            "the agents in your library that have a price for this kind of task."
        ),
    )
    quality_at_least: Share | None = Field(
        default=None, description="The mean score to reach. Without `value`, the cheapest that reaches it is best."
    )
    value: Amount | None = Field(
        default=None, description="What a score of 1 is worth, in `currency`. Costs are weighed against it."
    )
    max_cost: Amount | None = Field(default=None, description="The most that the call may be expected to cost.")
    currency: Currency | None = Field(
        default=None,
        description="Of all amounts. By default that of the budget that binds, or USD; needed with an amount.",
    )
    agent_id: AgentId | None = Field(
        default=None, description="The agent that makes the call. What is left of its budgets paces the choice."
    )
    run_id: SearchText | None = Field(
        default=None, description="The run whose result is the outcome. By default the id of the decision."
    )

    def wish(self) -> RoutingRequest:
        """Return what is asked of the call.

        Raises:
            Invalid: an amount is none, or has no currency.
        """
        if self.currency is None and (self.value is not None or self.max_cost is not None):
            raise Invalid("Send currency with value and max_cost.", extra={"field": "currency"})
        quality = self.quality_at_least
        return RoutingRequest(
            quality_e6=None if quality is None else parse_ratio(quality, "quality_at_least") * 100,
            value_pico=None if self.value is None else pico_of(self.value, "value") or None,
            max_cost_pico=None if self.max_cost is None else pico_of(self.max_cost, "max_cost"),
        )


class RoutingOutcomeSet(RequestModel):
    """What came of a routed call."""

    model_config = example(score="0.9")

    score: Share = Field(description="How good the result was, from 0 to 1.")
    cost: Amount | None = Field(
        default=None,
        description="In the currency of the decision. By default what the usage of the run says about the choice.",
    )


class RoutedCandidateView(ResponseModel):
    """A candidate of a routing decision. Figures are null without a price."""

    candidate: str
    expected_cost: Exact | None = Field(description="Its interval of 90 % is `cost_from` to `cost_to`.")
    cost_from: Exact | None
    cost_to: Exact | None
    quality: Exact | None = Field(description="The expected score.")
    chance: Exact | None = Field(
        description="The chance that its mean score reaches `quality_at_least`; 1 without that."
    )
    odds: Exact = Field(description="The probability with which it is chosen. The odds of all add up to 1.")
    results: int = Field(description="The number of outcomes for this kind of task.")
    out: ExclusionReason | None = Field(description="Why it cannot be chosen.")
    why: str


class RoutingOutcomeView(ResponseModel):
    """What came of a routed call."""

    score: Exact
    cost: Exact | None
    source: str = Field(description="`result` or `api`.")
    reference: str = Field(description="The result, or who reported it.")
    recorded_at: datetime


class RoutingDecisionView(ResponseModel):
    """To which model or agent a call was given, and by which odds."""

    id: str
    organization_id: str
    agent_id: str | None
    run_id: str = Field(description="Give it to the usage and the result of the call.")
    task_kind: str
    currency: str
    quality_at_least: Exact | None
    value: Exact | None
    max_cost: Exact | None
    choice: str | None = Field(description="Null if no candidate is admissible; `out` says why.")
    odds: Exact | None = Field(description="Of the choice: its propensity, by which comparisons weigh.")
    ranking: list[RoutedCandidateView] = Field(description="The likeliest first.")
    budget_id: str | None = Field(description="The budget that paces the choice.")
    priced_at: MoneyView | None = Field(
        description="The price of one credit at which credits and money were compared: what was paid for the lots that "
        "the dearest candidate would take. Null where nothing was converted."
    )
    decided_by: str
    decided_at: datetime
    outcome: RoutingOutcomeView | None

    @classmethod
    def of(cls, row: RoutingDecision) -> Self:
        wish: dict[str, Any] = row.wish
        outcome = None
        if row.outcome_at is not None:
            outcome = RoutingOutcomeView(
                score=_part(row.score_e6 or 0),
                cost=None if row.cost_pico is None else format_pico(int(row.cost_pico)),
                source=row.outcome_source or "",
                reference=row.outcome_reference or "",
                recorded_at=row.outcome_at,
            )
        return cls.from_row(
            row,
            quality_at_least=None if wish["quality_e6"] is None else _part(wish["quality_e6"]),
            value=_pico(wish["value_pico"]),
            max_cost=_pico(wish["max_cost_pico"]),
            odds=None if row.odds_e6 is None else _part(row.odds_e6),
            ranking=[_candidate(RankedCandidate(**each)) for each in row.ranking],
            budget_id=None if row.control_id is None else uuid_id("ctl", row.control_id),
            priced_at=None if row.priced_at is None else MoneyView(**row.priced_at),
            outcome=outcome,
        )


def pico_of(amount: str, field: str) -> int:
    """Read an amount as an integer of 10⁻¹² of its currency.

    Raises:
        Invalid: it is negative, too large, or has too many decimals.
    """
    return to_scaled(parse_decimal(amount, field, decimals=12), 12)


def _candidate(each: RankedCandidate) -> RoutedCandidateView:
    return RoutedCandidateView.from_row(
        each,
        candidate=each.name,
        expected_cost=_pico(each.cost_pico),
        cost_from=_pico(each.low_pico),
        cost_to=_pico(each.high_pico),
        quality=None if each.quality_e6 is None else _part(each.quality_e6),
        chance=None if each.chance_e6 is None else _part(each.chance_e6),
        odds=_part(each.odds_e6),
        why=explain_rank(each),
    )


def _pico(amount_pico: int | None) -> str | None:
    return None if amount_pico is None else format_pico(amount_pico)


def _part(millionths: int) -> str:
    return f"{from_scaled(millionths, 6):f}"
