"""What prices, quotes and rules look like over HTTP."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, PlainSerializer, WithJsonSchema

from api.fields import (
    AgentId,
    Exact,
    Flag,
    Moment,
    Name,
    OrganizationId,
    Ratio,
    RequestModel,
    ResponseModel,
    RuleId,
    Whole,
    example,
)
from api.v1.pricing.terms import RuleTerms, shown
from domain.common.money import format_amount, format_ratio
from domain.marketplace.pricing.book import Price
from domain.marketplace.pricing.facts import WHOLE_BPS
from domain.marketplace.pricing.quote import discount_limit_bps
from domain.marketplace.pricing.rule import MAX_PRIORITY, Rule, RuleType, Stacking
from domain.marketplace.pricing.stored_terms import parse_bps
from domain.marketplace.pricing.terms import points
from domain.reputation.levels import commission_rule, commission_source
from models.marketplace.pricing import PricingAgent, PricingQuote, PricingRule
from repositories.marketplace.pricing import rule_of
from runtime.settings import Settings
from services.marketplace.pricing import COMPILE, MAX_TRIAL_QUOTES, PriceRequest, QuoteTrial, trial_totals

MAX_QUANTITY = 1_000_000_000

#: Basis points inside, a JSON number outside: clients read `"multiplier": 1.2`.
Multiplier = Annotated[
    int, PlainSerializer(lambda bps: bps / WHOLE_BPS), WithJsonSchema({"type": "number", "examples": [1.2]})
]
Quantity = Annotated[Whole, Field(ge=1, le=MAX_QUANTITY)]


class AdjustmentView(ResponseModel):
    """A rule that changed a price."""

    rule: str = Field(
        description=(
            "The name of the rule. `platform_commission` protects the payee's share; `surge_limit` keeps surge rules "
            "together at 1.50 times the price; `multiplier_limits` keeps the price between a tenth of the base price "
            "and ten times it; `total_of_fewer` keeps the total from falling where bulk rules meet."
        )
    )
    type: str
    multiplier: Multiplier = Field(description="The factor by which it changed the price so far.")
    description: str


class PriceView(ResponseModel):
    """A price with its reasons."""

    base_price: Exact = Field(description="The price of the whole quantity before any rule.")
    adjusted_price: Exact
    multiplier: Multiplier = Field(description="`adjusted_price` divided by `base_price`, rounded to four decimals.")
    discount: Exact = Field(description="What is taken off `base_price`.")
    borne_by: str | None = Field(
        description=(
            "Who bears the discount: `platform`, from its commission, or `agent`, its organization, which gets its "
            "share of the lower price. Null without a discount."
        )
    )
    adjustments: list[AdjustmentView]

    @classmethod
    def of(cls, price: Price, currency: str) -> "PriceView":
        return cls(
            base_price=format_amount(price.base_minor, currency),
            adjusted_price=format_amount(price.adjusted_minor, currency),
            multiplier=price.multiplier_bps,
            discount=format_amount(price.discount_minor, currency),
            borne_by=price.borne_by,
            adjustments=[
                AdjustmentView(rule=line.rule, type=line.type, multiplier=line.bps, description=line.why)
                for line in price.adjustments
            ],
        )


class ConsideredView(ResponseModel):
    """A rule for the agent and the client, and its result."""

    rule_id: str
    rule: str
    type: str
    applied: bool
    reason: str


class PriceExplanationView(PriceView):
    """Why an agent has its price: what was measured, and the result of each rule, in order."""

    agent_id: str
    organization_id: str | None
    quantity: int
    currency: str
    at: datetime
    rules_version: int = Field(description="The number of changes to all rules so far.")
    evidence: list[str]
    rules: list[ConsideredView]

    @classmethod
    def explain(cls, price: Price, asked: PriceRequest, settings: Settings) -> "PriceExplanationView":
        facts = asked.facts
        view = PriceView.of(price, facts.currency)
        return cls.from_row(
            facts,
            **{name: getattr(view, name) for name in PriceView.model_fields},
            rules_version=asked.book.version,
            evidence=evidence_of(asked, settings.commission_bps, settings.platform_discount_bps),
            rules=[
                ConsideredView(rule_id=rule.id, rule=rule.name, type=rule.type.value, applied=applied, reason=why)
                for rule, applied, why in price.considered
            ],
        )


def evidence_of(asked: PriceRequest, usual_bps: int, most_bps: int | None) -> list[str]:
    """Say in sentences what was measured, with the platform's usual commission and its own bound of discounts."""
    facts, source = asked.facts, commission_source(asked.level)
    name = None if asked.level is None else asked.level.name
    unit = f"{format_amount(facts.unit_minor, facts.currency)} {facts.currency}"
    said = [f"The base price of a unit is {unit}; the quantity is {facts.quantity}."]
    if facts.demand_bps is None:
        said.append("The agent's organization has not set a capacity, so demand is not measured.")
    if facts.capacity is not None:
        said.append(
            f"The agent can work on {facts.capacity} jobs at once; {facts.open_jobs} funded jobs of unrelated "
            f"organizations count as demand, which is {format_ratio(facts.open_jobs * WHOLE_BPS // facts.capacity)} "
            "of its capacity."
        )
    if facts.calls_per_day is not None:
        said.append(
            f"The agent can take {facts.calls_per_day} calls a day; {facts.calls} of the last day, of unrelated "
            f"organizations, count as demand, which is {format_ratio(facts.calls * WHOLE_BPS // facts.calls_per_day)} "
            "of its capacity."
        )
    for whose, standing in (("agent", facts.seller), ("client", facts.client), ("buying agent", facts.buyer)):
        if standing is not None:
            score = f"{points(standing.overall_e4)} from {standing.evidence_count} units of evidence"
            said.append(f"The {whose}'s score is at least {score}.")
    if facts.is_related:
        said.append(
            "The client and the agent's organization are the same or related, so the client's score gives no discount."
        )
    if facts.org_id is not None:
        paid = f"{format_amount(facts.volume_minor, facts.currency)} {facts.currency}"
        said.append(
            f"The client's tier is {facts.tier}. Rules by volume count {paid} that it paid in 30 days and can no "
            "longer charge back."
        )
    rule = commission_rule(source, asked.level_version, name, None)
    said.append(f"The commission is {asked.commission_bps(usual_bps) / 100:g} %, by this rule: {rule}")
    borne = discount_limit_bps(asked.commission_bps(usual_bps), most_bps, bears_discounts=asked.bears_discounts)
    said.append(
        "The agent's organization bears discounts."
        if borne is None
        else f"The platform bears discounts, from its commission, up to {borne / 100:g} % of the base price."
    )
    return said


class QuoteCreate(RequestModel):
    """A price to keep for fifteen minutes."""

    model_config = example(quantity=10)

    quantity: Quantity = 1
    organization_id: OrganizationId | None = Field(default=None, description="The client; for operators only.")


class PriceQuoteView(PriceView):
    """A price that is kept for a client, who can use it once."""

    id: str
    agent_id: str
    organization_id: str
    quantity: int
    currency: str
    commission_bps: int = Field(description="The commission of the contract that uses the quote.")
    commission_rule: str = Field(description="The rule that set the commission.")
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    contract_id: str | None

    @classmethod
    def show(cls, row: PricingQuote) -> "PriceQuoteView":
        lines: list[dict[str, Any]] = row.adjustments
        return cls.from_row(
            row,
            base_price=format_amount(row.base_minor, row.currency),
            adjusted_price=format_amount(row.price_minor, row.currency),
            multiplier=row.multiplier_bps,
            discount=format_amount(max(0, row.base_minor - row.price_minor), row.currency),
            adjustments=[
                AdjustmentView(rule=it["rule"], type=it["type"], multiplier=it["bps"], description=it["why"])
                for it in lines
            ],
            commission_rule=commission_rule(row.commission_from, row.level_version, row.level_name, row.id),
        )


class RuleWrite(RequestModel):
    """A pricing rule."""

    model_config = example(
        name="surge_pricing_0.8", priority=100, terms={"type": "surge", "threshold": "0.8", "maximum": "1.50"}
    )

    name: Name
    priority: Annotated[Whole, Field(ge=0, le=MAX_PRIORITY)] = Field(
        description="Rules apply in ascending order of priority. Two rules that can apply to one price never share one."
    )
    terms: RuleTerms
    stacking: Stacking = Field(
        default=Stacking.MULTIPLY,
        description=(
            "`multiply` the price so far, `add` the change of the base price, or be `exclusive`: no later rule applies."
        ),
    )
    agent_id: AgentId | None = Field(
        default=None, description="The agent whose prices it changes; every agent when left out."
    )
    organization_id: OrganizationId | None = Field(
        default=None, description="The client whose prices it changes; every client when left out."
    )
    floor: Ratio | None = Field(default=None, description="The lowest multiplier that this rule can give.")
    ceiling: Ratio | None = Field(default=None, description="The highest multiplier that this rule can give.")
    valid_from: Moment | None = None
    valid_until: Moment | None = Field(default=None, description="The rule applies before this time.")

    def rule(self) -> Rule:
        floor, ceiling = (
            None if text is None else parse_bps(text, name)
            for name, text in (("floor", self.floor), ("ceiling", self.ceiling))
        )
        return Rule(
            id="",
            name=self.name,
            priority=self.priority,
            terms=self.terms.terms(),
            stacking=self.stacking,
            agent_id=self.agent_id,
            org_id=self.organization_id,
            floor_bps=floor,
            ceiling_bps=ceiling,
            valid_from=self.valid_from,
            valid_until=self.valid_until,
        )


class RuleView(ResponseModel):
    """A pricing rule."""

    id: str
    name: str
    type: RuleType
    priority: int
    terms: RuleTerms
    stacking: Stacking
    agent_id: str | None
    organization_id: str | None
    floor: Exact | None
    ceiling: Exact | None
    valid_from: datetime | None
    valid_until: datetime | None
    version: int = Field(description="The number of changes to this rule so far.")
    created_by: str
    created_at: datetime
    updated_at: datetime | None
    ended_at: datetime | None

    @classmethod
    def of(cls, row: PricingRule) -> "RuleView":
        return cls.from_row(
            row,
            terms=shown(rule_of(row, COMPILE).terms),
            floor=None if row.floor_bps is None else format_ratio(row.floor_bps),
            ceiling=None if row.ceiling_bps is None else format_ratio(row.ceiling_bps),
        )


class DryRunCreate(RequestModel):
    """A rule to try on past quotes."""

    model_config = example(
        rule={"name": "weekend", "priority": 200, "terms": {"type": "tier", "tier": "premium", "multiplier": "0.97"}},
        limit=500,
    )

    rule: RuleWrite
    replaces: RuleId | None = Field(default=None, description="The rule that it would replace.")
    since: Moment | None = Field(
        default=None, description="Only quotes made since then; those of the last 30 days when left out."
    )
    limit: Annotated[Whole, Field(ge=1, le=MAX_TRIAL_QUOTES)] = MAX_TRIAL_QUOTES


class DryRunTotal(ResponseModel):
    """The totals of all quotes in one currency."""

    currency: str
    quotes: int
    before: Exact = Field(description="With the current rules.")
    after: Exact = Field(description="With the rule that is tried.")


class DryRunQuote(ResponseModel):
    """A quote whose price would change."""

    quote_id: str
    currency: str
    base_price: Exact
    before: Exact
    after: Exact


class DryRunView(ResponseModel):
    """What a rule would have changed in past quotes."""

    quotes: int = Field(description="The number of quotes that were priced again, newest first.")
    changed: int
    totals: list[DryRunTotal]
    examples: list[DryRunQuote] = Field(description="The first 50 quotes that change.")

    @classmethod
    def of(cls, tried: list[QuoteTrial]) -> "DryRunView":
        changed = [one for one in tried if one.before_minor != one.after_minor]
        return cls(
            quotes=len(tried),
            changed=len(changed),
            totals=[
                DryRunTotal(
                    currency=currency,
                    quotes=number,
                    before=format_amount(before, currency),
                    after=format_amount(after, currency),
                )
                for currency, (number, before, after) in sorted(trial_totals(tried).items())
            ],
            examples=[
                DryRunQuote.from_row(
                    one,
                    base_price=format_amount(one.base_minor, one.currency),
                    before=format_amount(one.before_minor, one.currency),
                    after=format_amount(one.after_minor, one.currency),
                )
                for one in changed[:50]
            ],
        )


class AgentPricingSet(RequestModel):
    """How an agent's organization sets up its prices."""

    model_config = example(capacity=10, bears_discounts=False)

    capacity: Annotated[Whole, Field(ge=1, le=1_000_000)] | None = Field(
        default=None, description="How many jobs the agent works on at once. Without it, jobs do not count as demand."
    )
    calls_per_day: Annotated[Whole, Field(ge=1, le=1_000_000_000)] | None = Field(
        default=None,
        description="How many metered calls the agent accepts a day. Without it, calls do not count as demand.",
    )
    bears_discounts: Flag = Field(
        default=False, description="Whether discounts reduce what the agent gets, and not only the commission."
    )


class AgentPricingView(ResponseModel):
    """How an agent's organization has set up its prices."""

    agent_id: str
    capacity: int | None
    calls_per_day: int | None
    bears_discounts: bool
    updated_at: datetime | None = Field(description="When it was last set; null if it never was.")

    @classmethod
    def of(cls, agent_id: str, row: PricingAgent | None) -> "AgentPricingView":
        return cls(
            agent_id=agent_id,
            capacity=None if row is None else row.capacity,
            calls_per_day=None if row is None else row.calls_per_day,
            bears_discounts=row is not None and row.bears_discounts,
            updated_at=None if row is None else row.updated_at,
        )
