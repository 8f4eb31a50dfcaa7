"""Advice from what models cost and what agents bring in. Pure."""

import re
from collections.abc import Iterator

from domain.common.money import CREDIT, format_amount
from domain.insight.advice.facts import ComparedModels, MonthFacts
from domain.insight.advice.insight import AdviceAction, AdviceKind, AmountMeaning, Insight, format_count, format_money
from domain.usage.amounts import format_pico, minor_pico

#: So many percent of the revenue in a currency come from one source before others are advised, of so many pieces.
MOST_PERCENT, LEAST_PIECES = 60, 10


def model_swap(facts: MonthFacts) -> Iterator[Insight]:
    """Advise the model that surely costs less and is worth it, where chance had chosen between the two.

    What somebody chose is not compared: harder tasks go to dearer models.
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
                f"compared within {format_count(one.strata, 'group')} of one kind of task and size; chance had "
                "chosen the model of each.",
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
    """Name the source of most of the revenue: one agent by one way of earning.

    Where revenue could not be converted into one currency, each in which something was spent stands for itself.
    """
    currencies = {each.currency for each in facts.earned}
    for currency in sorted(code for code in currencies if facts.spending.get(code)):
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
