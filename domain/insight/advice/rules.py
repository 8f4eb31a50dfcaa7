"""All kinds of advice, their minimum worth, and their order. Pure."""

from collections.abc import Callable, Iterable, Mapping, Set
from datetime import timedelta
from fractions import Fraction

from domain.insight.advice.agents import cheaper_agent, unused
from domain.insight.advice.credits import annual_plan, auto_topup, larger_package, limit
from domain.insight.advice.facts import MonthFacts
from domain.insight.advice.insight import Insight
from domain.insight.advice.payments import payment_method
from domain.insight.advice.purchases import arbitrage, bulk, free_tier, method
from domain.insight.advice.returns import diversify, model_swap

#: The minimum amount of advice, in percent of what was spent or paid in during the month in its currency.
LEAST_PERCENT = 1
#: How long dismissed advice is hidden.
DISMISSED_FOR = timedelta(days=90)

#: Every kind of advice.
RULES: tuple[Callable[[MonthFacts], Iterable[Insight]], ...] = (
    larger_package,
    annual_plan,
    auto_topup,
    cheaper_agent,
    unused,
    payment_method,
    limit,
    bulk,
    free_tier,
    method,
    arbitrage,
    model_swap,
    diversify,
)


def advise(facts: MonthFacts) -> list[Insight]:
    """Return all advice worth giving, by share of what was spent or paid in in its currency, largest first."""
    moved = facts.moved
    found = [each for rule in RULES for each in rule(facts) if is_worth_giving(each, moved)]
    return sorted(found, key=lambda each: (-Fraction(each.amount_minor, max(1, _whole(each, moved))), each.id))


def is_worth_giving(insight: Insight, moved: Mapping[str, int]) -> bool:
    """Return whether the amount is at least one percent of what was spent or paid in in its currency."""
    return insight.amount_minor > 0 and insight.amount_minor * 100 >= LEAST_PERCENT * _whole(insight, moved)


def without_dismissed(insights: Iterable[Insight], dismissed: Set[str]) -> list[Insight]:
    """Leave out dismissed advice."""
    return [each for each in insights if each.id not in dismissed]


def _whole(insight: Insight, moved: Mapping[str, int]) -> int:
    return moved.get(insight.currency, 0)
