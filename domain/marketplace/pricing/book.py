"""The rules that are in force together, and the price that they make of the facts.

The multiplier is kept exact until the end, so money is rounded once, half to even. Surge is limited as a whole. Then
come the bounds, and then the payee's share: a discount is paid from the platform's commission, unless the agent's
organization bears discounts. Last of all, no quantity costs less in total than a smaller one because steps of bulk
rules meet.
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from domain.common.errors import Invalid
from domain.common.money import MAX_AMOUNT_MINOR, allocate, format_amount, format_ratio
from domain.marketplace.pricing.expression import LEAST_BPS, MOST_BPS
from domain.marketplace.pricing.facts import WHOLE_BPS, PricingFacts
from domain.marketplace.pricing.rule import Phase, Rule, RuleType, Stacking
from domain.marketplace.pricing.terms import (
    MOST_SURGE_BPS,
    Bounds,
    Bulk,
    ContractPrice,
    Reputation,
    RuleEffect,
    round_half_even,
)

#: How many prices a book remembers: the same is asked for again while somebody decides.
MAX_CACHED = 256


class Adjustment(NamedTuple):
    """One line of a price.

    Attributes:
        rule_id: the rule; None for the lines that limit surge, protect the payee's share, limit the multiplier and keep
            the total.
        rule: its name.
        type: its kind; `commission` for the line that protects the payee's share.
        bps: the factor by which it multiplied the price so far, in basis points, also for a rule that adds.
        why: the reason, as a sentence.
    """

    rule_id: str | None
    rule: str
    type: str
    bps: int
    why: str


class ConsideredRule(NamedTuple):
    """A rule in scope for the agent and the client, whether it applied, and why."""

    rule: Rule
    applied: bool
    why: str


@dataclass(frozen=True, slots=True)
class Price:
    """A price with its reasons. Amounts are minor units.

    Attributes:
        base_minor: the price before any rule.
        adjusted_minor: the price after all rules.
        multiplier_bps: their ratio, rounded to basis points for people.
        adjustments: the changes, in order.
        considered: every rule that was evaluated, in order.
        borne_by: who bears the discount: `platform`, or `agent` for its organization; None without one.
    """

    base_minor: int
    adjusted_minor: int
    multiplier_bps: int
    adjustments: tuple[Adjustment, ...]
    considered: tuple[ConsideredRule, ...]
    borne_by: str | None

    @property
    def discount_minor(self) -> int:
        """Return what is taken off the price before any rule."""
        return max(0, self.base_minor - self.adjusted_minor)


class RuleBook:
    """Rules in the order in which they are evaluated."""

    def __init__(self, rules: Iterable[Rule], version: int = 0) -> None:
        """Sort the rules; `version` is that of the rules as a whole."""
        self.version = version
        self.rules = tuple(sorted(rules, key=lambda rule: (list(Phase).index(rule.phase), rule.priority, rule.id)))
        kinds = {rule.type for rule in self.rules}
        #: Which facts any rule asks for; the others need not be read.
        self.asks_demand = bool(kinds & {RuleType.SURGE, RuleType.CUSTOM})
        self.asks_volume = bool(kinds & {RuleType.VOLUME, RuleType.CUSTOM})
        self.asks_client = any(isinstance(it.terms, Reputation) and it.terms.whose == "client" for it in self.rules)
        # Found out once: a price looks at every rule.
        turns = {turn for rule in self.rules for turn in (rule.valid_from, rule.valid_until) if turn is not None}
        self._turns = sorted(turns)
        self._known: dict[object, Price] = {}
        self._adds = any(rule.stacking is Stacking.ADD for rule in self.rules)
        self._bulk = tuple((rule, rule.terms.steps) for rule in self.rules if isinstance(rule.terms, Bulk))
        self._steps = tuple((rule, rule.phase, rule.type.value) for rule in self.rules)

    def price(self, facts: PricingFacts, *, discount_limit_bps: int | None = None) -> Price:
        """Return the price of the facts. The same facts always give the same price.

        Args:
            facts: what is known.
            discount_limit_bps: how much of the base price the platform gives for discounts at most, see
            `discount_limit_bps`; None where
                the agent's organization bears discounts.

        Raises:
            Invalid: the amount is more than the books hold.
        """
        # Rules read the clock to the minute; which of them are valid changes at their turns.
        key = (facts.to_the_minute, bisect_right(self._turns, facts.at), discount_limit_bps)
        known = self._known.get(key)
        if known is None:
            known = self._make(facts, discount_limit_bps)
            if len(self._known) >= MAX_CACHED:
                self._known.clear()
            self._known[key] = known
        return known

    def _make(self, facts: PricingFacts, discount_limit_bps: int | None) -> Price:
        run = self._run(facts, discount_limit_bps)
        totals = [
            (self._run(replace(facts, quantity=fewer), discount_limit_bps).adjusted_minor(), fewer)
            for fewer in self._before_steps(facts)
        ]
        if totals:
            run.keep_total_of(*max(totals))
        return run.price()

    def _run(self, facts: PricingFacts, discount_limit_bps: int | None) -> "_PriceCalculation":
        run = _PriceCalculation(facts)
        for rule, phase, kind in self._steps:
            if rule.holds(facts):
                run.take(rule, phase, kind)
        run.limit()
        if discount_limit_bps is not None:
            run.bound_discount(discount_limit_bps)
        return run

    def _before_steps(self, facts: PricingFacts) -> set[int]:
        """Return the quantities after which a step of a bulk rule begins: only there can the total fall.

        One bulk rule that multiplies was checked by itself, so that it needs none of them.
        """
        held = [(rule, steps) for rule, steps in self._bulk if rule.holds(facts)]
        if not self._adds and len(held) == 1 and _is_plain(held[0][0]):
            return set()
        return {step.least - 1 for _, steps in held for step in steps if 1 < step.least <= facts.quantity}


def _is_plain(rule: Rule) -> bool:
    return rule.stacking is Stacking.MULTIPLY and rule.floor_bps is None and rule.ceiling_bps is None


def _stacked(before: tuple[int, int], stacking: Stacking, bps: int) -> tuple[int, int]:
    """Return the multiplier after a rule, as numerator and denominator."""
    over, under = before
    if stacking is Stacking.ADD:
        return max(over * WHOLE_BPS + (bps - WHOLE_BPS) * under, 0), under * WHOLE_BPS
    return over * bps, under * WHOLE_BPS


class _PriceCalculation:
    """One price in the making: what it starts from in minor units, and the exact multiplier so far.

    The multiplier is `over / under`, two whole numbers that are never cut: exact, and faster than fractions that are.
    """

    def __init__(self, facts: PricingFacts) -> None:
        if facts.base_minor > MAX_AMOUNT_MINOR:
            raise Invalid("The price must not be greater than the books hold.", extra={"field": "quantity"})
        self.facts = facts
        # What the multiplier is of: the base price, or the one that was agreed with the client.
        self.start_minor = facts.base_minor
        self.over = self.under = 1
        # The multiplier without surge rules, in the same form; None before the first of them applies.
        self.calm: tuple[int, int] | None = None
        self.least_minor = 1
        self.closed_by: str | None = None
        self.is_limited = False
        self.platform_pays = False
        self.lines: list[Adjustment] = []
        self.considered: list[ConsideredRule] = []

    def take(self, rule: Rule, phase: Phase, kind: str) -> None:
        """Judge a rule and apply it."""
        if phase is Phase.ADJUST and self.closed_by is not None:
            self.considered.append(ConsideredRule(rule, False, f"The rule {self.closed_by} is exclusive."))
            return
        bps, why = self._bound(rule.terms) if isinstance(rule.terms, Bounds) else rule.judge(self.facts)
        self.considered.append(ConsideredRule(rule, bps is not None, why))
        if bps is None:
            return
        before = (self.over, self.under)
        if phase is Phase.ADJUST:
            self.over, self.under = _stacked(before, rule.stacking, bps)
            if kind == RuleType.SURGE:
                self.calm = self.calm or before
            elif self.calm is not None:
                self.calm = _stacked(self.calm, rule.stacking, bps)
            if rule.stacking is Stacking.ADD:
                bps = self._changed_by(before)
            self.closed_by = rule.name if rule.stacking is Stacking.EXCLUSIVE else None
        elif isinstance(rule.terms, ContractPrice):
            # One that was agreed before is replaced, so that the line is of that one.
            agreed_minor = rule.terms.unit_minor * self.facts.quantity
            bps, self.start_minor = round_half_even(agreed_minor * WHOLE_BPS, self.start_minor), agreed_minor
        self.lines.append(Adjustment(rule.id, rule.name, kind, bps, why))

    def limit(self) -> None:
        """Limit the multiplier to the general bounds, once, before the rules' bounds apply to the price."""
        if self.is_limited:
            return
        self.is_limited = True
        self._limit_surge()
        before = (self.over, self.under)
        self.over, self.under = self._between((LEAST_BPS, WHOLE_BPS), (MOST_BPS, WHOLE_BPS))
        if (self.over, self.under) != before:
            why = f"All rules together make it {format_ratio(LEAST_BPS)} to {format_ratio(MOST_BPS)} times the price"
            self.lines.append(Adjustment(None, "multiplier_limits", "bounds", self._changed_by(before), why))

    def _limit_surge(self) -> None:
        """Limit what surge rules together make of the price, whatever they multiply and whatever is taken off later."""
        if self.calm is None:
            return
        over, under = self.calm
        if over * WHOLE_BPS < LEAST_BPS * under:
            # The general bounds would raise it.
            over, under = LEAST_BPS, WHOLE_BPS
        most = (over * MOST_SURGE_BPS, under * WHOLE_BPS)
        if self.over * most[1] > most[0] * self.under:
            before = (self.over, self.under)
            self.over, self.under = most
            times = format_ratio(MOST_SURGE_BPS)
            why = f"All surge rules together make the price {times} times what it is without them at most"
            self.lines.append(Adjustment(None, "surge_limit", "bounds", self._changed_by(before), why))

    def bound_discount(self, discount_limit_bps: int) -> None:
        """Limit a discount to what the platform gives of the base price."""
        self.platform_pays = True
        kept, borne = allocate(self.facts.base_minor, [WHOLE_BPS - discount_limit_bps, discount_limit_bps])
        adjusted = self.adjusted_minor()
        if adjusted < kept:
            self.least_minor = kept
            shown = f"{format_amount(borne, self.facts.currency)} {self.facts.currency}"
            why = f"The discount is limited to the {shown} that the platform pays: the agent bears no discounts"
            bps = round_half_even(kept * WHOLE_BPS, adjusted)
            self.lines.append(Adjustment(None, "platform_commission", "commission", bps, why))

    def keep_total_of(self, total_minor: int, fewer: int) -> None:
        """Raise the total to that of a smaller quantity, if it would be lower: rules are only checked one by one."""
        adjusted = self.adjusted_minor()
        if adjusted < total_minor:
            self.least_minor = total_minor
            why = f"{self.facts.quantity} would cost less in total than {fewer}, so they cost the same"
            bps = round_half_even(total_minor * WHOLE_BPS, adjusted)
            self.lines.append(Adjustment(None, "total_of_fewer", "bounds", bps, why))

    def price(self) -> Price:
        """Return the resulting price."""
        adjusted = self.adjusted_minor()
        if adjusted > MAX_AMOUNT_MINOR:
            raise Invalid("The price must not be greater than the books hold.", extra={"field": "quantity"})
        return Price(
            self.facts.base_minor,
            adjusted,
            round_half_even(adjusted * WHOLE_BPS, self.facts.base_minor),
            tuple(self.lines),
            tuple(self.considered),
            ("platform" if self.platform_pays else "agent") if adjusted < self.facts.base_minor else None,
        )

    def adjusted_minor(self) -> int:
        """Return the price, rounded once."""
        return max(self.least_minor, round_half_even(self.start_minor * self.over, self.under))

    def _changed_by(self, before: tuple[int, int]) -> int:
        """Return by how much the multiplier is another than before, in basis points."""
        # From nothing there is no ratio, so the new multiplier itself.
        over, under = before if before[0] else (1, 1)
        return round_half_even(self.over * under * WHOLE_BPS, self.under * over)

    def _between(self, least: tuple[int, int], most: tuple[int, int]) -> tuple[int, int]:
        """Return the multiplier within two others; where they leave nothing, the upper one."""
        if self.over * most[1] > most[0] * self.under or least[0] * most[1] > most[0] * least[1]:
            return most
        return least if self.over * least[1] < least[0] * self.under else (self.over, self.under)

    def _bound(self, bounds: Bounds) -> RuleEffect:
        """Keep the multiplier within bounds, and say by how much that changed it."""
        self.limit()
        before, least = (self.over, self.under), bounds.least(self.start_minor, self.facts)
        self.over, self.under = self._between(least, bounds.most(self.start_minor, self.facts))
        if (self.over, self.under) == before:
            return RuleEffect(None, "The price is within it.")
        side = "least" if (self.over, self.under) == least else "most"
        if self.under == WHOLE_BPS:
            why = f"The price is kept at {side} {format_ratio(self.over)} times the price that it starts from"
        else:
            amount = format_amount(self.over // self.facts.quantity, self.facts.currency)
            why = f"The price of one is kept at {side} {amount} {self.facts.currency}"
        return RuleEffect(self._changed_by(before), why)
