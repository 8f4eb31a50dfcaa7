"""The terms of each type of rule: facts in, a multiplier in basis points out, or why the rule does not apply."""

from dataclasses import dataclass, field
from datetime import time, timedelta
from fractions import Fraction
from functools import cache
from typing import NamedTuple

from domain.common.calendar import zone_of
from domain.common.errors import (
    Invalid,
    PricingFloorAboveCeiling,
    PricingRuleInvalid,
    PricingTotalFalls,
    PricingUnknownZone,
)
from domain.common.money import format_amount, format_ratio
from domain.marketplace.pricing.expression import LEAST_BPS, MOST_BPS, Evaluate, is_multiplier
from domain.marketplace.pricing.facts import WHOLE_BPS, PricingFacts, RankedScore

#: The most that demand may raise a price by.
MOST_SURGE_BPS = 15_000
MAX_STEPS = 20
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class RuleEffect(NamedTuple):
    """The result of a rule for a price.

    Attributes:
        bps: the multiplier in basis points; None where the rule does not apply.
        why: a sentence for people, in both cases.
    """

    bps: int | None
    why: str


def invalid(field_name: str, detail: str, *, kind: type[Invalid] = PricingRuleInvalid) -> Invalid:
    """Return the refusal of one field of a rule."""
    return kind(detail, extra={"field": f"terms.{field_name}"})


def check_multiplier(bps: int, name: str) -> None:
    """Check that a multiplier is from `LEAST_BPS` to `MOST_BPS`; `Invalid` names the field."""
    if not LEAST_BPS <= bps <= MOST_BPS:
        raise invalid(name, f"{name} must be between {format_ratio(LEAST_BPS)} and {format_ratio(MOST_BPS)}.")


def points(score_e4: int) -> str:
    """Write a score of 0 to 10 with one decimal, rounded down."""
    return f"{score_e4 // WHOLE_BPS}.{score_e4 % WHOLE_BPS // 1_000}"


def _between(start: int, end: int, at: int, bps: int) -> int:
    """Return the multiplier on the way from 1.0 at `start` to `bps` at `end`, rounded towards 1.0."""
    done, way = min(max(at - start, 0), end - start), end - start
    change = abs(bps - WHOLE_BPS) * done // way
    return WHOLE_BPS + change if bps >= WHOLE_BPS else WHOLE_BPS - change


@cache
def _threshold(bps: int) -> str:
    return format_ratio(bps).rstrip("0").removesuffix(".")


@dataclass(frozen=True, slots=True)
class Surge:
    """More while demand is above a threshold: from nothing at the threshold to `maximum_bps` at `full_bps`.

    Demand is open work as a part of the capacity, all in basis points.
    """

    threshold_bps: int
    maximum_bps: int = MOST_SURGE_BPS
    full_bps: int = WHOLE_BPS

    def check(self) -> None:
        """Refuse a threshold that is not below the full demand, and a maximum outside of 1.0 to 1.5."""
        if not WHOLE_BPS <= self.maximum_bps <= MOST_SURGE_BPS:
            raise invalid("maximum", f"maximum must be between 1.00 and {format_ratio(MOST_SURGE_BPS)}.")
        if not 0 <= self.threshold_bps < self.full_bps:
            raise invalid("threshold", "threshold must be below full, the demand at which the maximum is reached.")

    def judge(self, facts: PricingFacts) -> RuleEffect:
        """Compare the demand with the threshold."""
        demand, shown = facts.demand_bps, _threshold(self.threshold_bps)
        if demand is None:
            return RuleEffect(None, "The agent has no capacity set, so its demand is not known.")
        if demand <= self.threshold_bps:
            return RuleEffect(None, f"The demand of {format_ratio(demand)} does not exceed {shown}.")
        bps = _between(self.threshold_bps, self.full_bps, demand, self.maximum_bps)
        return RuleEffect(bps, f"Surge pricing when demand exceeds {shown}")


@dataclass(frozen=True, slots=True)
class Reputation:
    """A multiplier that a score earns: from nothing at `from_e4` to `multiplier_bps` at `full_e4`, on 0 to 10.

    `whose` is `client` or `seller`. A client earns by the better of two: the trust in its organization, and the score
    of its agent that asks. Less evidence than `least_evidence` earns nothing.
    """

    whose: str = "client"
    multiplier_bps: int = 8_000
    from_e4: int = 70_000
    full_e4: int = 90_000
    least_evidence: int = 10

    def check(self) -> None:
        """Refuse scores that are not in order, and multipliers out of all proportion."""
        check_multiplier(self.multiplier_bps, "multiplier")
        if not 0 <= self.from_e4 < self.full_e4 <= 100_000:
            raise invalid("from_score", "from_score must be below full_score, both between 0 and 10.")

    def judge(self, facts: PricingFacts) -> RuleEffect:
        """Ask for the score."""
        if self.whose == "seller":
            return self._earned("seller", facts.seller)
        if facts.is_related:
            return RuleEffect(
                None, "The client and the agent's organization are related, so its score gives no discount."
            )
        by_client, by_agent = self._earned("client", facts.client), self._earned("buying agent", facts.buyer)

        def earned(verdict: RuleEffect) -> int:
            return -1 if verdict.bps is None else abs(verdict.bps - WHOLE_BPS)

        return max(by_client, by_agent, key=earned)

    def _earned(self, whose: str, standing: RankedScore | None) -> RuleEffect:
        if standing is None:
            return RuleEffect(None, f"The {whose} has no score yet.")
        score = f"at least {points(standing.overall_e4)} from {standing.evidence_count} units of evidence"
        score = f"The {whose}'s score is {score}"
        if standing.evidence_count < self.least_evidence:
            return RuleEffect(None, f"{score}; {self.least_evidence} are needed.")
        if standing.overall_e4 <= self.from_e4:
            return RuleEffect(None, f"{score}, which is not above {points(self.from_e4)}.")
        return RuleEffect(_between(self.from_e4, self.full_e4, standing.overall_e4, self.multiplier_bps), score)


@cache
def _window(begins: time, ends: time, zone: str) -> str:
    return f"{begins:%H:%M} to {ends:%H:%M} in {zone}"


@dataclass(frozen=True, slots=True)
class TimeOfDay:
    """A multiplier on some days of the week between two times of a zone's clocks.

    A window that ends before it begins ends on the next day; one that ends when it begins lasts the whole day.
    `weekdays` are those on which it begins, 1 for Monday to 7 for Sunday.
    """

    zone: str
    multiplier_bps: int
    weekdays: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7)
    begins: time = time(0)
    ends: time = time(0)

    def check(self) -> None:
        """Refuse an unknown zone, no days, and multipliers out of all proportion."""
        check_multiplier(self.multiplier_bps, "multiplier")
        try:
            zone_of(self.zone)
        except Invalid as unknown:
            raise invalid("zone", unknown.detail, kind=PricingUnknownZone) from None
        if not self.weekdays or not set(self.weekdays) <= set(range(1, 8)):
            raise invalid("weekdays", "weekdays must name days of the week, 1 for Monday to 7 for Sunday.")

    def judge(self, facts: PricingFacts) -> RuleEffect:
        """Read the zone's clock."""
        local = facts.at_in(self.zone)
        at, day = local.time(), local.date()
        if self.begins < self.ends:
            within = self.begins <= at < self.ends
        else:
            within = at >= self.begins or at < self.ends
            if at < self.begins:
                # It began yesterday.
                day -= timedelta(days=1)
        window = _window(self.begins, self.ends, self.zone)
        now = f"{_DAYS[local.isoweekday() - 1]} {local.hour:02}:{local.minute:02}"
        if within and day.isoweekday() in self.weekdays:
            return RuleEffect(self.multiplier_bps, f"Pricing by time of day: it is {now}, within {window}")
        return RuleEffect(None, f"It is {now}, outside of {window} on its days.")

    def minutes(self) -> list[tuple[int, int]]:
        """Return the windows of a week as minutes since Monday's begin, the end excluded."""
        begins, ends = (it.hour * 60 + it.minute for it in (self.begins, self.ends))
        length = (ends - begins) % 1_440 or 1_440
        return [(day * 1_440 - 1_440 + begins, day * 1_440 - 1_440 + begins + length) for day in self.weekdays]


@dataclass(frozen=True, slots=True)
class TierStep:
    """A threshold, and the multiplier from there on."""

    least: int
    bps: int


def _check_steps(steps: tuple[TierStep, ...]) -> None:
    for step in steps:
        check_multiplier(step.bps, "steps")
    least = [step.least for step in steps]
    if not 1 <= len(steps) <= MAX_STEPS or sorted(set(least)) != least or least[0] < 1:
        raise invalid("steps", f"steps must be 1 to {MAX_STEPS}, each starting above the one before.")


def _step_at(steps: tuple[TierStep, ...], value: int) -> TierStep | None:
    found = None
    for step in steps:
        if step.least > value:
            break
        found = step
    return found


@dataclass(frozen=True, slots=True)
class Bulk:
    """A multiplier by how many are bought at once. It never makes more of them cost less in total."""

    steps: tuple[TierStep, ...]

    def check(self) -> None:
        """Refuse steps out of order, and a step at which the total falls."""
        _check_steps(self.steps)
        before = WHOLE_BPS
        for step in self.steps:
            if step.least * step.bps < (step.least - 1) * before:
                raise invalid(
                    "steps",
                    f"{step.least} would cost less in total than {step.least - 1}. Make the step smaller.",
                    kind=PricingTotalFalls,
                )
            before = step.bps

    def judge(self, facts: PricingFacts) -> RuleEffect:
        """Find the step of the quantity."""
        step = _step_at(self.steps, facts.quantity)
        if step is None:
            return RuleEffect(None, f"The quantity of {facts.quantity} is below {self.steps[0].least}.")
        return RuleEffect(step.bps, f"Bulk pricing from a quantity of {step.least}")


@dataclass(frozen=True, slots=True)
class Volume:
    """A multiplier by what the client paid in the last 30 days, in minor units of `currency`."""

    currency: str
    steps: tuple[TierStep, ...]

    def check(self) -> None:
        """Refuse steps out of order."""
        _check_steps(self.steps)

    def judge(self, facts: PricingFacts) -> RuleEffect:
        """Find the step of the volume."""
        if facts.currency != self.currency:
            return RuleEffect(None, f"It is for prices in {self.currency}.")
        step = _step_at(self.steps, facts.volume_minor)
        paid = f"The client paid {facts.volume_shown} in 30 days"
        if step is None:
            return RuleEffect(None, f"{paid}, less than {format_amount(self.steps[0].least, self.currency)}.")
        return RuleEffect(step.bps, f"{paid}, at least {format_amount(step.least, self.currency)}")


@dataclass(frozen=True, slots=True)
class Tier:
    """A multiplier for clients of one tier."""

    tier: str
    multiplier_bps: int

    def check(self) -> None:
        """Refuse multipliers out of all proportion."""
        check_multiplier(self.multiplier_bps, "multiplier")

    def judge(self, facts: PricingFacts) -> RuleEffect:
        """Compare the client's tier."""
        if facts.tier != self.tier:
            return RuleEffect(None, f"The client's tier is {facts.tier or 'not known'}, not {self.tier}.")
        return RuleEffect(self.multiplier_bps, f"The client's tier is {self.tier}")


@dataclass(frozen=True, slots=True)
class ContractPrice:
    """An agreed price of one for a client, in place of the listing's price."""

    unit_minor: int
    currency: str

    def check(self) -> None:
        """Accept it: the amount was checked when it was read."""

    def judge(self, facts: PricingFacts) -> RuleEffect:
        """Compare the currency. The multiplier is for showing: the price itself is exact."""
        if facts.currency != self.currency:
            return RuleEffect(None, f"It is for prices in {self.currency}.")
        bps = round_half_even(self.unit_minor * WHOLE_BPS, facts.unit_minor)
        agreed = f"{format_amount(self.unit_minor, self.currency)} {self.currency}"
        return RuleEffect(bps, f"A price of {agreed} is agreed with the client")


@dataclass(frozen=True, slots=True)
class Custom:
    """A multiplier by an expression."""

    expression: str
    evaluate: Evaluate = field(compare=False, repr=False)

    def check(self) -> None:
        """Accept it: the expression was checked when it was compiled."""

    def judge(self, facts: PricingFacts) -> RuleEffect:
        """Evaluate the expression; a result that is no multiplier changes nothing."""
        result = self.evaluate(facts.variables)
        if result is None or not is_multiplier(result):
            shown = "no number" if result is None else str(result)
            return RuleEffect(None, f"The expression gives {shown}, which is not a multiplier.")
        return RuleEffect(result, f"By the expression {self.expression}")


@dataclass(frozen=True, slots=True)
class Bounds:
    """The bounds of the price; evaluated after all other rules.

    Bounds are multiples of the base price, or of the agreed one, and amounts for one unit in minor units of `currency`,
    which hold for prices in it. Where they leave nothing between them, the upper one holds.
    """

    floor_bps: int | None = None
    ceiling_bps: int | None = None
    floor_minor: int | None = None
    ceiling_minor: int | None = None
    currency: str | None = None

    def check(self) -> None:
        """Refuse a rule without bounds, and a floor above its ceiling."""
        amounts = (self.floor_minor, self.ceiling_minor)
        if (self.floor_bps, self.ceiling_bps, *amounts) == (None,) * 4:
            raise invalid("floor", "Give a lower bound, an upper bound or both.")
        check_order(self.floor_bps, self.ceiling_bps, "terms.floor")
        if amounts != (None, None) and self.currency is None:
            raise invalid("currency", "Name the currency of the amounts.")
        if self.floor_minor is not None and self.ceiling_minor is not None and self.floor_minor > self.ceiling_minor:
            raise invalid("floor_amount", "The lower bound is above the upper bound.", kind=PricingFloorAboveCeiling)

    def judge(self, facts: PricingFacts) -> RuleEffect:  # noqa: ARG002
        """Return no multiplier: bounds apply after all other rules."""
        return RuleEffect(None, "The price is within it.")

    def least(self, start_minor: int, facts: PricingFacts) -> tuple[int, int]:
        """Return the lower bound of the multiplier of what the price starts from, as numerator and denominator."""
        least = (self.floor_bps or 0, WHOLE_BPS)
        if self.floor_minor is None or facts.currency != self.currency:
            return least
        return max(least, (self.floor_minor * facts.quantity, start_minor), key=_quotient)

    def most(self, start_minor: int, facts: PricingFacts) -> tuple[int, int]:
        """Return the upper bound, likewise."""
        most = (self.ceiling_bps or MOST_BPS * WHOLE_BPS, WHOLE_BPS)
        if self.ceiling_minor is None or facts.currency != self.currency:
            return most
        return min(most, (self.ceiling_minor * facts.quantity, start_minor), key=_quotient)


def _quotient(ratio: tuple[int, int]) -> Fraction:
    return Fraction(*ratio)


def check_order(floor_bps: int | None, ceiling_bps: int | None, name: str) -> None:
    """Refuse a floor above its ceiling, and bounds outside of the general bounds."""
    for bps in (floor_bps, ceiling_bps):
        if bps is not None and not LEAST_BPS <= bps <= MOST_BPS:
            raise PricingRuleInvalid(
                f"A bound must be between {format_ratio(LEAST_BPS)} and {format_ratio(MOST_BPS)}.",
                extra={"field": name},
            )
    if floor_bps is not None and ceiling_bps is not None and floor_bps > ceiling_bps:
        raise PricingFloorAboveCeiling(
            f"The lower bound of {format_ratio(floor_bps)} is above the upper bound of {format_ratio(ceiling_bps)}.",
            extra={"field": name},
        )


def round_half_even(numerator: int, denominator: int) -> int:
    """Return the quotient of two numbers, zero or more, rounded to the nearest integer, half to the even one."""
    whole, rest = divmod(numerator, denominator)
    return whole + (2 * rest > denominator or (2 * rest == denominator and whole % 2))


Terms = Surge | Reputation | TimeOfDay | Bulk | Volume | Tier | ContractPrice | Custom | Bounds
