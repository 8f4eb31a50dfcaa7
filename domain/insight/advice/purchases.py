"""Advice about purchases outside: larger ones, free ones, cheaper methods, and what own agents sell. Pure."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import TypeVar

from domain.budgets.free_text import normalize_name
from domain.budgets.policy import FreeFirst, MethodKind, quota_window_start
from domain.common.money import COINS, format_amount
from domain.insight.advice.facts import AgentOffer, ExternalPurchase, FreeOptionUse, MethodUse, MonthFacts
from domain.insight.advice.insight import AdviceAction, AdviceKind, AmountMeaning, Insight, format_count, format_money
from domain.insight.advice.proposal import OrderProposal, PolicyProposal

#: So often the same has to be bought, or a term to be paid, before a larger purchase is advised.
LEAST_PURCHASES = 3
_K = TypeVar("_K")
_POLICY = AdviceAction("PUT", "/payment-policies")
_POLICY_PAGE = "/payment-policies"


def _by(
    rows: Iterable[ExternalPurchase], key: Callable[[ExternalPurchase], _K]
) -> Iterator[tuple[_K, list[ExternalPurchase]]]:
    """Yield the purchases of each key, in the order in which the keys come first."""
    groups: dict[_K, list[ExternalPurchase]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    yield from groups.items()


def bulk(facts: MonthFacts) -> Iterator[Insight]:
    """Advise a term, or one purchase with one fee, where an agent buys the same again and again."""
    methods = {each.name: each for each in facts.methods}
    for (agent_id, *_), bought in _by(facts.purchases, lambda each: each.purchase_key):
        number = sum(each.renewed + 1 for each in bought)
        found = list(_larger(bought, facts, methods))
        if number < LEAST_PURCHASES or not found:
            continue
        one, paid = bought[0], sum(each.month_minor for each in bought)
        cost, wanted, how = min(found, key=lambda each: each[0])
        term = "" if wanted.term is None else f" by the {wanted.term.value}"
        body = {"agent_id": agent_id, "item": wanted.item, "vendor": one.vendor, "category": one.category}
        body |= {"amount": format_amount(wanted.amount_minor, one.currency), "currency": one.currency}
        yield Insight(
            kind=AdviceKind.BULK,
            subject=f"{agent_id}_{hashlib.sha256(repr(one.purchase_key).encode()).hexdigest()[:12]}",
            amount_minor=paid - cost,
            currency=one.currency,
            meaning=AmountMeaning.SAVING,
            title=f"{one.item} costs less{term or ' in one purchase'}.",
            how=(
                f"{one.agent_name} paid {one.vendor} {format_money(paid, one.currency)} for the month, and has paid "
                f"{format_count(number, 'time')}."
                if one.term is not None
                else f"{one.agent_name} bought it {format_count(len(bought), 'time')} for "
                f"{format_money(paid, one.currency)}.",
                how,
            ),
            figures={
                "purchases": number,
                "paid": format_amount(paid, one.currency),
                "would_have_cost": format_amount(cost, one.currency),
            },
            act=AdviceAction(
                "POST", "/purchase-orders", body if wanted.term is None else body | {"term": wanted.term.value}
            ),
            page="/purchases",
            proposes=wanted,
        )


def _larger(
    bought: list[ExternalPurchase], facts: MonthFacts, methods: Mapping[str, MethodUse]
) -> Iterator[tuple[int, OrderProposal, str]]:
    """Yield larger purchases with what the month would have cost and why: known terms, and all of it with one fee."""
    one = bought[0]
    months = max(0 if each.term is None else each.term.months for each in bought)
    # One term does for several orders without one, but several terms run at once.
    held = max(1, len({each.order_id for each in bought if each.term is not None}))
    why, paid = "Advice: the same was bought again and again.", sum(each.month_minor for each in bought)

    def order(amount_minor: int, **more: object) -> OrderProposal:
        fixed = {"agent_id": one.agent_id, "vendor": one.vendor, "category": one.category, "currency": one.currency}
        told = {"item": one.item, "amount_minor": amount_minor, "why": why, "paid_minor": paid}
        return OrderProposal(**{**fixed, **told, **more})  # type: ignore[arg-type]

    for price in facts.terms:
        if (normalize_name(price.vendor), normalize_name(price.item), price.currency) == one.purchase_key[
            1:
        ] and price.term.months > months:
            month = -(-price.amount_minor // price.term.months)
            a_month = "" if price.term.months == 1 else f", which is {format_money(month, one.currency)} a month"
            known = f"You last paid {format_money(price.amount_minor, one.currency)} for a {price.term.value}{a_month}"
            item = one.item
            if held > 1:
                known += f"; {held} times that is {format_money(held * month, one.currency)}"
                item = f"{held} times {item}"
            yield held * month, order(held * price.amount_minor, term=price.term, item=item), f"{known}."
    fees = [(each.fee_minor, methods.get(each.method or "")) for each in bought if each.term is None]
    used = {method.name: method for fee, method in fees if fee is not None and method is not None}
    if months or len(used) != 1 or any(fee is None or method is None for fee, method in fees):
        return
    (method,) = used.values()
    goods = sum(each.paid_minor - (each.fee_minor or 0) for each in bought)
    fee, paid_fees = method.fee(goods, one.currency), sum(fee or 0 for fee, _ in fees)
    if fee is not None:
        how = (
            f"{format_money(paid_fees, one.currency)} of that were fees of {method.label}. "
            f"One purchase of {format_money(goods, one.currency)} has a fee of {format_money(fee, one.currency)}."
        )
        yield goods + fee, order(goods + fee, term=None, item=f"{len(bought)} times {one.item}"), how


def free_tier(facts: MonthFacts) -> Iterator[Insight]:
    """Advise to look at a free option first, where its quota would have covered what was paid for.

    What the agent said does not fit is left out. Of the rest the cheapest count, and each for one option only.
    """
    taken = set[str]()
    for free in sorted(facts.free, key=lambda each: each.option.name):
        fitting = [
            each
            for each in facts.purchases
            if each.term is None and each.paid_minor > 0 and each.order_id not in taken
            if normalize_name(each.category) == normalize_name(free.option.category)
            and normalize_name(free.option.name) not in each.unfit
            if each.policy.free_first is not FreeFirst.REQUIRE
        ]
        covered = list(_covered(free, fitting))
        taken |= {each.order_id for each in covered}
        quota = free.option.quota
        limit = "without a limit" if quota is None else f"{format_count(quota, 'time')} a {free.option.quota_window}"
        for policy_id, bought in _by(covered, lambda each: each.policy_id):
            one, paid = bought[0], defaultdict[str, int](int)
            for each in bought:
                paid[each.currency] += each.paid_minor
            for currency, amount in sorted(paid.items()):
                yield Insight(
                    kind=AdviceKind.FREE_TIER,
                    subject="_".join(filter(None, (free.id, policy_id, currency))),
                    amount_minor=amount,
                    currency=currency,
                    meaning=AmountMeaning.SAVING,
                    title=f"{free.option.name} is free and would have covered what was bought.",
                    how=(
                        f"It can be used {limit}, for {one.category}.",
                        f"{format_count(sum(each.currency == currency for each in bought), 'purchase')} for "
                        f"{format_money(amount, currency)} would have fit into what was left of that, "
                        "the cheapest first.",
                    ),
                    figures={
                        "purchases": sum(each.currency == currency for each in bought),
                        "paid": format_amount(amount, currency),
                        "option": free.option.name,
                    },
                    act=_POLICY,
                    page=_POLICY_PAGE,
                    proposes=PolicyProposal(policy_id=policy_id, free_first=True),
                )


def _covered(free: FreeOptionUse, fitting: list[ExternalPurchase]) -> Iterator[ExternalPurchase]:
    quota, window = free.option.quota, free.option.quota_window
    if quota is None or window is None:
        yield from fitting
        return

    def began(each: ExternalPurchase) -> datetime:
        return quota_window_start(window, each.at)

    for start, bought in _by(fitting, began):
        left = max(0, quota - free.used.get(start, 0))
        yield from sorted(bought, key=lambda each: (each.paid_minor, each.order_id))[:left]


def method(facts: MonthFacts) -> Iterator[Insight]:
    """Advise the declared method of another kind whose fees would have been lower, and that fails no more often."""
    methods = {each.name: each for each in facts.methods}
    paid = [each for each in facts.purchases if each.fee_minor is not None and each.method in methods]
    for (policy_id, name, currency), bought in _by(paid, lambda each: (each.policy_id, each.method, each.currency)):
        used, kinds = methods[name or ""], bought[0].policy.methods
        fees = sum(each.fee_minor or 0 for each in bought)
        found = [
            (cost, each.name, each)
            for each in facts.methods
            if _goes_after(each.kind, used.kind, kinds) and each.succeeding >= used.succeeding > 0
            if (cost := _fees_of(each, bought)) is not None
        ]
        if not found:
            continue
        cost, _, other = min(found)
        yield Insight(
            kind=AdviceKind.METHOD,
            subject="_".join(filter(None, (used.name, currency, policy_id))),
            amount_minor=fees - cost,
            currency=currency,
            meaning=AmountMeaning.SAVING,
            title=f"Purchases cost less in fees with {other.label} than with {used.label}.",
            how=(
                f"{format_count(len(bought), 'purchase')} with {used.label} had fees of "
                f"{format_money(fees, currency)}.",
                f"With {other.label} they would have been {format_money(cost, currency)}, with its attempts that fail.",
                f"Of attempts with {used.label} {used.succeeded} of {used.attempts} succeeded, with {other.label} "
                f"{other.succeeded} of {other.attempts}.",
            ),
            figures={
                "purchases": len(bought),
                "fees": format_amount(fees, currency),
                "would_have_cost": format_amount(cost, currency),
                "method": used.name,
                "other_method": other.name,
            },
            act=_POLICY,
            page=_POLICY_PAGE,
            proposes=PolicyProposal(policy_id=policy_id, methods=(other.kind, used.kind)),
        )


def _goes_after(kind: MethodKind, used: MethodKind, kinds: tuple[MethodKind, ...]) -> bool:
    """Return whether a policy allows a kind and puts it behind the used one. Coins have an order of their own."""
    if kind is MethodKind.FREE or kind not in kinds or used not in kinds or {kind.value, used.value} <= set(COINS):
        return False
    return kinds.index(kind) > kinds.index(used)


def _fees_of(method: MethodUse, bought: Iterable[ExternalPurchase]) -> int | None:
    total = 0
    for each in bought:
        fee = method.fee(each.paid_minor - (each.fee_minor or 0), each.currency)
        if fee is None:
            return None
        total += fee
    return -(-total * method.succeeding.denominator // method.succeeding.numerator)


def arbitrage(facts: MonthFacts) -> Iterator[Insight]:
    """Compare what is bought outside with what own agents ask for the same category, in both directions."""
    for offered in facts.offered:
        same_goods = [
            each
            for each in facts.purchases
            if normalize_name(each.category) == normalize_name(offered.category) and each.currency == offered.currency
            if (each.term is not None) is offered.is_monthly and each.paid_minor > 0
        ]
        dear = [each for each in same_goods if each.month_minor > offered.price_minor]
        for policy_id, bought in _by(dear, lambda each: each.policy_id):
            yield _bought_dear(offered, policy_id, bought)
        cheap = [each for each in same_goods if each.month_minor < offered.price_minor]
        if cheap and offered.earned_minor > 0:
            yield _sold_dear(offered, cheap)


def _bought_dear(offered: AgentOffer, policy_id: str | None, bought: list[ExternalPurchase]) -> Insight:
    paid, cost = sum(each.month_minor for each in bought), len(bought) * offered.price_minor
    return Insight(
        kind=AdviceKind.ARBITRAGE,
        subject="_".join(filter(None, ("buy", offered.agent_id, offered.currency, policy_id))),
        amount_minor=paid - cost,
        currency=offered.currency,
        meaning=AmountMeaning.SAVING,
        title=f"Your own agent {offered.name} does {offered.category} for less than you pay outside.",
        how=(
            f"You paid {format_money(paid, offered.currency)} for {format_count(len(bought), 'purchase')} of this "
            "category.",
            f"At the price of {offered.name}, {format_money(offered.price_minor, offered.currency)} each, that is "
            f"{format_money(cost, offered.currency)}.",
        ),
        figures={
            "purchases": len(bought),
            "paid": format_amount(paid, offered.currency),
            "would_have_cost": format_amount(cost, offered.currency),
            "agent_id": offered.agent_id,
        },
        act=_POLICY,
        page=_POLICY_PAGE,
        proposes=PolicyProposal(policy_id=policy_id, refused=bought[0].category),
    )


def _sold_dear(offered: AgentOffer, bought: list[ExternalPurchase]) -> Insight:
    paid, brings = sum(each.month_minor for each in bought), len(bought) * offered.price_minor
    # Who buys much need not find buyers for it: what the agent earned is what is known of them.
    amount = min(brings - paid, offered.earned_minor)
    return Insight(
        kind=AdviceKind.ARBITRAGE,
        subject=f"sell_{offered.agent_id}_{offered.currency}",
        amount_minor=amount,
        currency=offered.currency,
        meaning=AmountMeaning.EARNING,
        title=f"What {offered.name} sells is bought outside for less than it asks.",
        how=(
            f"You paid {format_money(paid, offered.currency)} for {format_count(len(bought), 'purchase')} of "
            f"{offered.category}.",
            f"At {format_money(offered.price_minor, offered.currency)} each, as {offered.name} asks, they would have "
            f"brought {format_money(brings, offered.currency)}.",
            f"{offered.name} earned {format_money(offered.earned_minor, offered.currency)}, and no more than that "
            "counts.",
        ),
        figures={
            "purchases": len(bought),
            "paid": format_amount(paid, offered.currency),
            "would_have_brought": format_amount(brings, offered.currency),
            "earned": format_amount(offered.earned_minor, offered.currency),
            "agent_id": offered.agent_id,
        },
        act=AdviceAction("PUT", f"/marketplace/agents/{offered.agent_id}"),
        page=f"/agents/{offered.agent_id}",
    )
