"""A pricing rule: its scope, its validity, its order, and its terms.

Rules are evaluated by ascending priority. No two that can apply to the same price at the same time have the same
priority, so their order is always explicit.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from domain.common.errors import Invalid, PricingOverlap, PricingRuleInvalid
from domain.common.money import format_ratio
from domain.marketplace.pricing.facts import PricingFacts
from domain.marketplace.pricing.terms import (
    MOST_SURGE_BPS,
    Bounds,
    Bulk,
    ContractPrice,
    Custom,
    Reputation,
    RuleEffect,
    Surge,
    Terms,
    Tier,
    TimeOfDay,
    Volume,
    check_order,
)

MAX_PRIORITY = 10_000
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_FOREVER = datetime(9999, 1, 1, tzinfo=UTC)


class RuleType(StrEnum):
    """The type of a pricing rule."""

    SURGE = "surge"
    REPUTATION = "reputation"
    TIME_OF_DAY = "time_of_day"
    BULK = "bulk"
    VOLUME = "volume"
    TIER = "tier"
    CONTRACT_PRICE = "contract_price"
    CUSTOM = "custom"
    BOUNDS = "bounds"


TYPES: dict[type, RuleType] = {
    Surge: RuleType.SURGE,
    Reputation: RuleType.REPUTATION,
    TimeOfDay: RuleType.TIME_OF_DAY,
    Bulk: RuleType.BULK,
    Volume: RuleType.VOLUME,
    Tier: RuleType.TIER,
    ContractPrice: RuleType.CONTRACT_PRICE,
    Custom: RuleType.CUSTOM,
    Bounds: RuleType.BOUNDS,
}


class Stacking(StrEnum):
    """How a rule combines with the rules before it."""

    #: It multiplies it.
    MULTIPLY = "multiply"
    #: It adds its part of the base price to it, or takes it off.
    ADD = "add"
    #: It multiplies it, and no rule of a higher priority number applies any more.
    EXCLUSIVE = "exclusive"


class Phase(StrEnum):
    """When a rule is evaluated: rules that replace the base price first, rules that bound the result last."""

    BASE = "base"
    ADJUST = "adjust"
    BOUND = "bound"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A pricing rule.

    Attributes:
        id: the id; empty for a rule that is only previewed.
        name: the name shown in adjustments.
        priority: the position: rules are evaluated by ascending priority.
        terms: the conditions and the multiplier.
        stacking: how it combines with the price so far.
        agent_id: the agent whose prices it changes; None for every agent.
        org_id: the client that it applies to; None for every client.
        floor_bps: the lower bound of its own multiplier; None for no bound.
        ceiling_bps: the upper bound of its own multiplier; None for no bound.
        valid_from: the start of its validity; None for no start.
        valid_until: the end of its validity, exclusive; None for no end.
    """

    id: str
    name: str
    priority: int
    terms: Terms
    stacking: Stacking = Stacking.MULTIPLY
    agent_id: str | None = None
    org_id: str | None = None
    floor_bps: int | None = None
    ceiling_bps: int | None = None
    valid_from: datetime | None = None
    valid_until: datetime | None = None

    @property
    def type(self) -> RuleType:
        return TYPES[type(self.terms)]

    @property
    def phase(self) -> Phase:
        return {RuleType.CONTRACT_PRICE: Phase.BASE, RuleType.BOUNDS: Phase.BOUND}.get(self.type, Phase.ADJUST)

    def check(self) -> None:
        """Refuse a rule that contradicts itself.

        Raises:
            Invalid: `pricing.*`, with the field.
        """
        self.terms.check()
        check_order(self.floor_bps, self.ceiling_bps, "floor")
        if self.type is RuleType.SURGE and (self.floor_bps or 0) > MOST_SURGE_BPS:
            raise _refused("floor", f"Demand must not raise a price by more than {format_ratio(MOST_SURGE_BPS)} times.")
        if self.valid_from and self.valid_until and self.valid_from >= self.valid_until:
            raise _refused("valid_until", "valid_until must be later than valid_from.")
        if self.phase is not Phase.ADJUST:
            if self.stacking is not Stacking.MULTIPLY:
                raise _refused("stacking", f"A rule of type {self.type.value} has no stacking. Leave it out.")
            if (self.floor_bps, self.ceiling_bps) != (None, None):
                raise _refused(
                    "floor", f"A rule of type {self.type.value} has no bounds beside its terms. Leave them out."
                )
        if self.type is RuleType.CONTRACT_PRICE and None in {self.agent_id, self.org_id}:
            raise _refused(
                "agent_id", "A contract price is for one agent and one client. Send agent_id and organization_id."
            )
        if self.type is RuleType.BULK and self.stacking is Stacking.ADD:
            raise _refused("stacking", "A bulk rule cannot add. Send the stacking multiply or exclusive.")

    def holds(self, facts: PricingFacts) -> bool:
        """Return whether the rule is for this agent and client, and valid at the time."""
        return (
            (self.agent_id is None or self.agent_id == facts.agent_id)
            and (self.org_id is None or self.org_id == facts.org_id)
            and (self.valid_from is None or self.valid_from <= facts.at)
            and (self.valid_until is None or facts.at < self.valid_until)
        )

    def judge(self, facts: PricingFacts) -> RuleEffect:
        """Apply the terms, and keep the multiplier between the rule's floor and ceiling."""
        verdict = self.terms.judge(facts)
        if verdict.bps is None or (self.floor_bps is None and self.ceiling_bps is None):
            return verdict
        bps = verdict.bps if self.floor_bps is None else max(verdict.bps, self.floor_bps)
        bps = bps if self.ceiling_bps is None else min(bps, self.ceiling_bps)
        return RuleEffect(bps, verdict.why)


def overlap(one: Rule, other: Rule) -> bool:
    """Return whether two rules can apply to the same price, so that they need different priorities."""
    if one.phase is not other.phase:
        return False
    for own, others in ((one.agent_id, other.agent_id), (one.org_id, other.org_id)):
        if None not in {own, others} and own != others:
            return False
    if (one.valid_until or _FOREVER) <= (other.valid_from or _BEGINNING):
        return False
    if (other.valid_until or _FOREVER) <= (one.valid_from or _BEGINNING):
        return False
    match one.terms, other.terms:
        case Tier(), Tier():
            return one.terms.tier == other.terms.tier
        case TimeOfDay(), TimeOfDay() if one.terms.zone == other.terms.zone:
            return _meet(one.terms, other.terms)
        case _:
            return True


def _meet(one: TimeOfDay, other: TimeOfDay) -> bool:
    week = 7 * 1_440
    return any(
        begins < others_end + shift and others_begin + shift < ends
        for begins, ends in one.minutes()
        for others_begin, others_end in other.minutes()
        for shift in (-week, 0, week)
    )


def refuse_overlap(rule: Rule, others: list[Rule]) -> None:
    """Refuse a rule if another one with the same priority can apply at the same time.

    Raises:
        Invalid: `pricing.overlap`, with the other rule.
    """
    for other in others:
        if other.id != rule.id and other.priority == rule.priority and overlap(rule, other):
            raise PricingOverlap(
                f"The rule {other.name!r} has the same priority {other.priority} and can apply at the same time. "
                "Choose another priority, or validity periods or scopes that do not overlap.",
                extra={"field": "priority", "rule_id": other.id},
            )


def _refused(field: str, detail: str) -> Invalid:
    return PricingRuleInvalid(detail, extra={"field": field})
