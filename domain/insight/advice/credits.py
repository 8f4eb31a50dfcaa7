"""Advice about credits: packages, plans, automatic top-up, and limits that stopped charges. Pure."""

from collections.abc import Iterator
from datetime import UTC, date, timedelta

from domain.billing.plan import Interval
from domain.common.errors import Invalid
from domain.common.money import CREDIT, format_amount
from domain.insight.advice.facts import MonthFacts, RefusedCharges
from domain.insight.advice.insight import (
    AdviceAction,
    AdviceKind,
    AmountMeaning,
    Insight,
    format_count,
    format_money,
    was_or_were,
)

#: How long after a refusal a raise of the limit belongs to it.
RAISED_WITHIN = timedelta(days=7)


def larger_package(facts: MonthFacts) -> Iterator[Insight]:
    """Advise the package that would have given at least the same credits for the least money."""
    for bought in facts.bought:
        larger = [
            (package.price_minor * number, number, package)
            for package in facts.packages
            if package.currency == bought.currency and package.credits_minor > bought.largest_minor
            for number in (-(-bought.credits_minor // package.credits_minor),)
        ]
        if not larger:
            continue
        cost, number, package = min(larger, key=lambda each: (each[0], each[2].credits_minor))
        paid, would = format_money(bought.paid_minor, bought.currency), format_money(cost, bought.currency)
        credits, packages = format_money(bought.credits_minor, CREDIT), format_count(number, "package")
        yield Insight(
            kind=AdviceKind.PACKAGE,
            subject=bought.currency,
            amount_minor=bought.paid_minor - cost,
            currency=bought.currency,
            meaning=AmountMeaning.SAVING,
            title=f"The package {package.name} would have been cheaper.",
            how=(
                f"You bought {credits} in {format_count(bought.orders, 'order')} for {paid}.",
                f"{packages} {package.name} of {format_money(package.credits_minor, CREDIT)} would have cost {would}.",
            ),
            figures={
                "orders": bought.orders,
                "credits": format_amount(bought.credits_minor, CREDIT),
                "paid": format_amount(bought.paid_minor, bought.currency),
                "package": package.name,
                "packages": number,
                "would_have_cost": format_amount(cost, bought.currency),
            },
            act=AdviceAction("POST", "/billing/purchase-credits", {"package": package.name}),
            page="/top-up",
        )


def annual_plan(facts: MonthFacts) -> Iterator[Insight]:
    """Advise the year's price of the plan that is paid by the month."""
    held, plans = facts.subscribed, facts.plans
    if held is None or plans is None or held.interval is not Interval.MONTH:
        return
    try:
        year = plans.get(held.plan).price(Interval.YEAR, held.currency).amount_minor * held.quantity
    except Invalid:
        return
    month = -(-year // 12)
    yield Insight(
        kind=AdviceKind.ANNUAL_PLAN,
        subject=held.plan,
        amount_minor=held.amount_minor - month,
        currency=held.currency,
        meaning=AmountMeaning.SAVING,
        title="Your plan costs less when it is paid by the year.",
        how=(
            f"You paid {format_money(held.amount_minor, held.currency)} for the month.",
            f"A year costs {format_money(year, held.currency)}, which is {format_money(month, held.currency)} a month.",
        ),
        figures={
            "month": format_amount(held.amount_minor, held.currency),
            "year": format_amount(year, held.currency),
            "year_by_month": format_amount(month, held.currency),
        },
        act=AdviceAction("PUT", "/billing/subscription", {"plan": held.plan, "interval": Interval.YEAR.value}),
        page="/billing",
    )


def auto_topup(facts: MonthFacts) -> Iterator[Insight]:
    """Advise automatic top-up where charges were refused for lack of credits."""
    refused = [] if facts.has_auto_topup else [each for each in facts.refused if each.control_id is None]
    if not refused:
        return
    number, total = sum(each.number for each in refused), sum(each.amount_minor for each in refused)
    # Whoever holds an agent's key can have any charge refused, and must not set what is bought for it.
    amount = min(total, facts.spending.get(CREDIT, 0))
    largest = format_amount(min(amount, max(each.largest_minor for each in refused)), CREDIT)
    yield Insight(
        kind=AdviceKind.AUTO_TOPUP,
        subject=CREDIT,
        amount_minor=amount,
        currency=CREDIT,
        meaning=AmountMeaning.STOPPED,
        title=f"Automatic top-up would have avoided {format_count(number, 'refusal')} for lack of credits.",
        how=(
            f"{format_count(number, 'charge')} of {format_money(total, CREDIT)} in all {was_or_were(number)} refused.",
            "Repeats of the same charge on the same day count once.",
            f"{format_money(amount, CREDIT)} of that counts: at most what was spent in the month.",
        ),
        figures={"refused": number, "refused_amount": format_amount(total, CREDIT), "largest": largest},
        act=AdviceAction(
            "PUT",
            "/billing/auto-topup",
            {"below": largest, "credits": largest, "monthly_cap": format_amount(amount, CREDIT)},
        ),
        page="/auto-top-up",
    )


def limit(facts: MonthFacts) -> Iterator[Insight]:
    """Advise to raise a limit that stopped what was done all the same: after a raise, or by a person."""
    done: dict[tuple[str, bool], list[tuple[int, int]]] = {}
    for refused in facts.refused:
        if refused.control_id is not None and (amount := _done_later(refused, facts)):
            parts = done.setdefault((refused.control_id, refused.is_budget), [])
            parts.append((refused.number, min(amount, refused.amount_minor)))
    for (control_id, is_budget), parts in sorted(done.items()):
        number, amount = sum(each[0] for each in parts), sum(each[1] for each in parts)
        yield Insight(
            kind=AdviceKind.LIMIT,
            subject=control_id,
            amount_minor=amount,
            currency=CREDIT,
            meaning=AmountMeaning.STOPPED,
            title="A limit stopped charges that were made later all the same.",
            how=(
                f"The limit refused {format_count(number, 'charge')}, which were made after it was raised, "
                "or by a person.",
                f"{format_money(amount, CREDIT)} of what was refused was charged later for the same actions.",
            ),
            figures={"refused": number, "charged_later": format_amount(amount, CREDIT)},
            act=AdviceAction("PUT", f"/{'budgets' if is_budget else 'spend-controls'}/{control_id}"),
            page=f"/{'budgets' if is_budget else 'limits'}/{control_id}",
        )


def _done_later(refused: RefusedCharges, facts: MonthFacts) -> int:
    """Return what was charged for a refused action: by its agent from the first raise on, or by a person instead."""
    assert refused.control_id is not None
    days = [
        raised.astimezone(UTC).date()
        for raised in facts.raises.get(refused.control_id, ())
        if refused.latest < raised <= refused.latest + RAISED_WITHIN
    ]
    if days:
        return _charged(facts, min(days), refused.action, refused.agent_id)
    if refused.agent_id is None:
        return 0
    before = facts.captured.get((refused.day - timedelta(days=1), refused.action, None), 0)
    return 0 if before else _charged(facts, refused.day, refused.action, None)


def _charged(facts: MonthFacts, day: date, action: str, agent_id: str | None) -> int:
    days = (day, day + timedelta(days=1))
    return sum(facts.captured.get((each, action, agent_id), 0) for each in days)
