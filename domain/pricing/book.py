"""The rules that are in force together, and the price that they make of the facts.

The multiplier is kept exact until the end, so money is rounded once, half to even. Then come the bounds, and last the
payee's share: a discount is paid from the platform's commission, unless the agent's organization bears discounts.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from domain.errors import Invalid
from domain.money import MAX_AMOUNT_MINOR, allocate, format_amount, format_ratio
from domain.pricing.expression import LEAST_BPS, MOST_BPS
from domain.pricing.facts import WHOLE_BPS, Facts
from domain.pricing.rule import Phase, Rule, RuleType, Stacking
from domain.pricing.terms import Bounds, ContractPrice, round_half_even


@dataclass(frozen=True, slots=True)
class Adjustment:
    """One line of a price.

    Attributes:
        rule_id: the rule; None for the line that protects the payee's share.
        rule: its name.
        type: its kind; `commission` for the line that protects the payee's share.
        bps: by how much it multiplied the price, in basis points.
        why: a sentence.
    """

    rule_id: str | None
    rule: str
    type: str
    bps: int
    why: str


@dataclass(frozen=True, slots=True)
class Considered:
    """A rule that holds for the agent and the client, whether it applied, and why."""

    rule_id: str
    rule: str
    type: str
    applied: bool
    why: str


@dataclass(frozen=True, slots=True)
class Price:
    """A price with its reasons. Amounts are minor units.

    Attributes:
        base_minor: before any rule.
        adjusted_minor: what it costs.
        multiplier_bps: their ratio, rounded to basis points for people.
        adjustments: what changed it, in order.
        considered: every rule that was judged, in order.
    """

    base_minor: int
    adjusted_minor: int
    multiplier_bps: int
    adjustments: tuple[Adjustment, ...]
    considered: tuple[Considered, ...]


class Book:
    """Rules in the order in which they are judged."""

    def __init__(self, rules: Iterable[Rule], version: int = 0) -> None:
        """Sort the rules; `version` is that of the rules as a whole."""
        self.version = version
        self.rules = tuple(sorted(rules, key=lambda rule: (list(Phase).index(rule.phase), rule.priority, rule.id)))
        kinds = {rule.type for rule in self.rules}
        #: Which facts any rule asks for; the others need not be read.
        self.asks_demand = bool(kinds & {RuleType.SURGE, RuleType.CUSTOM})
        self.asks_volume = bool(kinds & {RuleType.VOLUME, RuleType.CUSTOM})

    def price(self, facts: Facts, *, commission_bps: int | None = None) -> Price:
        """Return the price of the facts. The same facts always give the same price.

        Args:
            facts: what is known.
            commission_bps: the platform's usual commission, when a discount is paid from it; None where the agent's
                organization bears discounts.

        Raises:
            Invalid: the amount is more than the books hold.
        """
        run = _Run(facts)
        for rule in self.rules:
            if rule.holds(facts):
                run.take(rule)
        if commission_bps is not None:
            run.keep_payee_whole(commission_bps)
        return run.price()


class _Run:
    """One price in the making: what it starts from in minor units, and the exact multiplier so far."""

    def __init__(self, facts: Facts) -> None:
        if facts.base_minor > MAX_AMOUNT_MINOR:
            raise Invalid("The price must not be greater than the books hold.", extra={"field": "quantity"})
        self.facts = facts
        # What the multiplier is of: the base price, or the one that was agreed with the client.
        self.start_minor = facts.base_minor
        self.factor = Fraction(1)
        self.least_minor = 1
        self.closed_by: str | None = None
        self.lines: list[Adjustment] = []
        self.considered: list[Considered] = []

    def take(self, rule: Rule) -> None:
        """Judge a rule and apply it."""
        if rule.phase is Phase.ADJUST and self.closed_by is not None:
            self._note(rule, None, f"The rule {self.closed_by} is exclusive.")
            return
        if isinstance(rule.terms, Bounds):
            self._bound(rule, rule.terms)
            return
        verdict = rule.judge(self.facts)
        if verdict.bps is None:
            self._note(rule, None, verdict.why)
            return
        ratio = Fraction(verdict.bps, WHOLE_BPS)
        if isinstance(rule.terms, ContractPrice):
            self.start_minor = rule.terms.unit_minor * self.facts.quantity
        elif rule.stacking is Stacking.ADD:
            self.factor = max(self.factor + ratio - 1, Fraction(0))
        else:
            self.factor *= ratio
            self.closed_by = rule.name if rule.stacking is Stacking.EXCLUSIVE else None
        self._note(rule, verdict.bps, verdict.why)

    def keep_payee_whole(self, commission_bps: int) -> None:
        """Let a discount be no more than the commission on the base price."""
        kept, commission = allocate(self.facts.base_minor, [WHOLE_BPS - commission_bps, commission_bps])
        if self.adjusted_minor() < kept:
            bps = round_half_even(kept * WHOLE_BPS, self.adjusted_minor())
            self.least_minor = kept
            shown = f"{format_amount(commission, self.facts.currency)} {self.facts.currency}"
            why = f"The discount is limited to the platform's commission of {shown}: the agent bears no discounts"
            self.lines.append(Adjustment(None, "platform_commission", "commission", bps, why))

    def price(self) -> Price:
        """Return what it came to."""
        adjusted = self.adjusted_minor()
        if adjusted > MAX_AMOUNT_MINOR:
            raise Invalid("The price must not be greater than the books hold.", extra={"field": "quantity"})
        return Price(
            self.facts.base_minor,
            adjusted,
            round_half_even(adjusted * WHOLE_BPS, self.facts.base_minor),
            tuple(self.lines),
            tuple(self.considered),
        )

    def adjusted_minor(self) -> int:
        """Round the one time, within what a multiplier may be at all."""
        least, most = Fraction(LEAST_BPS, WHOLE_BPS), Fraction(MOST_BPS, WHOLE_BPS)
        exact = self.start_minor * min(max(self.factor, least), most)
        return max(self.least_minor, round_half_even(exact.numerator, exact.denominator))

    def _bound(self, rule: Rule, bounds: Bounds) -> None:
        before = self.factor
        if bounds.floor_bps is not None:
            self.factor = max(self.factor, Fraction(bounds.floor_bps, WHOLE_BPS))
        if bounds.ceiling_bps is not None:
            self.factor = min(self.factor, Fraction(bounds.ceiling_bps, WHOLE_BPS))
        if self.factor == before:
            self._note(rule, None, rule.judge(self.facts).why)
            return
        above = self.factor > before
        bound = bounds.floor_bps if above else bounds.ceiling_bps
        side = "least" if above else "most"
        why = f"The price is kept at {side} {format_ratio(bound or 0)} times the price that it starts from"
        self._note(rule, _change(before, self.factor), why)

    def _note(self, rule: Rule, bps: int | None, why: str) -> None:
        self.considered.append(Considered(rule.id, rule.name, rule.type.value, bps is not None, why))
        if bps is not None:
            self.lines.append(Adjustment(rule.id, rule.name, rule.type.value, bps, why))


def _change(before: Fraction, after: Fraction) -> int:
    """Return from one multiplier to another, in basis points; from nothing there is no ratio, so the second itself."""
    ratio = after / before if before else after
    return round_half_even(ratio.numerator * WHOLE_BPS, ratio.denominator)
