"""All kinds of advice, which of it is worth giving, and in which order. Pure."""

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

#: Advice about less than this share of the month's spending in its currency is not given, in hundredths.
LEAST_PERCENT = 1
#: How long advice that was dismissed stays away.
DISMISSED_FOR = timedelta(days=90)

#: Every kind of advice. Another one is another function here.
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
    """Return all advice that is worth giving, the largest share of the month's spending in its currency first."""
    found = [each for rule in RULES for each in rule(facts) if is_worth_giving(each, facts.spending)]
    return sorted(found, key=lambda each: (-Fraction(each.amount_minor, max(1, _spent(each, facts.spending))), each.id))


def is_worth_giving(insight: Insight, spending: Mapping[str, int]) -> bool:
    """Return whether it is about at least one hundredth of the month's spending in its currency."""
    return insight.amount_minor > 0 and insight.amount_minor * 100 >= LEAST_PERCENT * _spent(insight, spending)


def without_dismissed(insights: Iterable[Insight], dismissed: Set[str]) -> list[Insight]:
    """Return the advice that was not dismissed."""
    return [each for each in insights if each.id not in dismissed]


def _spent(insight: Insight, spending: Mapping[str, int]) -> int:
    return spending.get(insight.currency, 0)
