"""Advice about agents: cheaper ones, what nobody used, and what they sell that is bought outside. Pure."""

from collections.abc import Iterator

from domain.common.errors import Invalid
from domain.common.money import format_amount
from domain.insight.advice.facts import AgentUse, AlternativeOffer, MonthFacts
from domain.insight.advice.insight import AdviceAction, AdviceKind, AmountMeaning, Insight, format_money
from domain.marketplace.use import price_of


def cheaper_agent(facts: MonthFacts) -> Iterator[Insight]:
    """Advise the cheapest agent of the same category whose lower bound of reputation is at least as high."""
    for used in facts.agents:
        costs = [
            (cost, other)
            for other in used.alternatives
            if other.rank_e6 >= used.rank_e6 and (cost := _cost_at(other, used)) is not None
        ]
        if not costs:
            continue
        cost, other = min(costs, key=lambda each: (each[0], -each[1].rank_e6, each[1].agent_id))
        paid, would = format_money(used.paid_minor, used.currency), format_money(cost, used.currency)
        what = "the same uses" if used.quantities else "the month"
        yield Insight(
            kind=AdviceKind.CHEAPER_AGENT,
            subject=used.agent_id,
            amount_minor=used.paid_minor - cost,
            currency=used.currency,
            meaning=AmountMeaning.SAVING,
            title=f"{other.name} costs less than {used.name} and is rated at least as high.",
            how=(
                f"You paid {used.name} {paid} for {what}.",
                f"{other.name} charges {would} for {what}.",
                f"Lower bounds of their reputation, of 10: {_points(used.rank_e6)} and {_points(other.rank_e6)}.",
            ),
            figures={
                "paid": format_amount(used.paid_minor, used.currency),
                "would_have_cost": format_amount(cost, used.currency),
                "agent_id": used.agent_id,
                "other_agent_id": other.agent_id,
            },
            act=AdviceAction("POST", f"/marketplace/agents/{other.agent_id}/purchase"),
            page=f"/marketplace/{other.agent_id}",
        )


def _cost_at(other: AlternativeOffer, used: AgentUse) -> int | None:
    if not used.quantities:
        return other.price_minor
    try:
        return sum(price_of(other.usage_prices or {}, meter, number) for meter, number in used.quantities.items())
    except Invalid:
        return None


def unused(facts: MonthFacts) -> Iterator[Insight]:
    """Advise to end what nobody used."""
    for each in facts.unused:
        yield Insight(
            kind=AdviceKind.UNUSED,
            subject=each.subject,
            amount_minor=each.amount_minor,
            currency=each.currency,
            meaning=AmountMeaning.SAVING,
            title=f"Nobody used {each.name}.",
            how=(f"You paid {format_money(each.amount_minor, each.currency)} for the month.", each.why),
            figures={"paid": format_amount(each.amount_minor, each.currency)},
            act=each.act,
            page=each.page,
        )


def _points(rank_e6: int) -> str:
    return f"{rank_e6 // 100_000}.{rank_e6 // 10_000 % 10}"
