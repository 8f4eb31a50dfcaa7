"""Advice about the cost of models and the revenue of agents. Pure."""

import re
from collections.abc import Iterator

from domain.common.money import CREDIT, format_amount
from domain.insight.advice.facts import ComparedModels, MonthFacts
from domain.insight.advice.insight import AdviceAction, AdviceKind, AmountMeaning, Insight, format_count, format_money
from domain.usage.amounts import format_pico, minor_pico

#: The share of revenue from one source, in percent, and the number of revenue events from which others are advised.
MOST_PERCENT, LEAST_PIECES = 60, 10


def model_swap(facts: MonthFacts) -> Iterator[Insight]:
    """Advise a model that is cheaper with 95 % confidence and worth it, by randomised runs only.

    Other runs are not compared, because harder tasks go to dearer models.
    """
    found: dict[str, list[tuple[int, str, ComparedModels]]] = {}
    for each in facts.compared:
        if each.is_randomised and each.is_worth_it:
            saved = each.less_pico * each.runs_a // minor_pico(each.currency)
            found.setdefault(each.a, []).append((saved, each.b, each))
    for used, cheaper in sorted(found.items()):
        saved, other, one = max(cheaper, key=lambda each: each[:2])
        success, low, high = map(_percent, one.success_e6)
        yield Insight(
            kind=AdviceKind.MODEL_SWAP,
            subject=re.sub(r"[^A-Za-z0-9._-]", "_", used),
            amount_minor=saved,
            currency=one.currency,
            meaning=AmountMeaning.SAVING,
            title=f"{other} costs less than {used} for the same kinds of tasks.",
            how=(
                f"{format_count(one.runs_a, 'run')} of {used} and {format_count(one.runs_b, 'run')} of {other} are "
                f"compared within {format_count(one.strata, 'group')} of one kind of task and size; the model "
                "of each was drawn at random.",
                f"A run of {other} costs at least {format_pico(one.less_pico)} {one.currency} less (95 %); "
                f"for the runs of {used} that is {format_money(saved, one.currency)}.",
                f"It succeeds in {success} of runs more, between {low} and {high}; below zero is fewer.",
            ),
            figures={
                "runs": one.runs_a,
                "other_runs": one.runs_b,
                "less_a_run": format_pico(one.less_pico),
                "model": used,
                "other_model": other,
            },
            act=AdviceAction("POST", "/routing/decisions"),
            page="/economics/models",
        )


def _percent(share_e6: int) -> str:
    sign, tenths = "-" if share_e6 < 0 else "", round(abs(share_e6) / 1_000)
    return f"{sign}{tenths // 10}.{tenths % 10} %"


def diversify(facts: MonthFacts) -> Iterator[Insight]:
    """Advise to diversify if most revenue comes from one agent and source.

    Currencies that cannot be converted are each considered alone, if something was spent or paid in in them.
    """
    currencies = {each.currency for each in facts.earned}
    for currency in sorted(code for code in currencies if facts.moved.get(code)):
        earned = [each for each in facts.earned if each.currency == currency and each.amount_minor > 0]
        whole, pieces = sum(each.amount_minor for each in earned), sum(each.pieces for each in earned)
        largest = max(earned, key=lambda each: (each.amount_minor, each.source), default=None)
        if largest is None or pieces < LEAST_PIECES or largest.amount_minor * 100 < MOST_PERCENT * whole:
            continue
        share = largest.amount_minor * 1_000 // whole
        of = "" if len(currencies) == 1 else f" in {'credits' if currency == CREDIT else currency}"
        yield Insight(
            kind=AdviceKind.DIVERSIFY,
            subject=currency,
            amount_minor=largest.amount_minor,
            currency=currency,
            meaning=AmountMeaning.AT_RISK,
            title=f"Most of your revenue{of} comes from {largest.name} by {largest.source.replace('_', ' ')}.",
            how=(
                f"{largest.name} brought {format_money(largest.amount_minor, currency)} of "
                f"{format_money(whole, currency)} this way, {share // 10}.{share % 10} %.",
                f"All of it came in {format_count(pieces, 'piece')}, from {format_count(len(earned), 'source')}.",
            ),
            figures={
                "from_largest": format_amount(largest.amount_minor, currency),
                "revenue": format_amount(whole, currency),
                "source": largest.source,
                "sources": len(earned),
            },
            act=AdviceAction("GET", "/economics/roi"),
            page="/analytics/earnings",
        )
