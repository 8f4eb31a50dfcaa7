"""Advice: what an organization would have saved in a month, from what happened and the prices that stand. Pure.

Amounts are minor units. The prices are those of the packages, plans and offers themselves; nothing here has a price.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from fractions import Fraction

from domain.billing.plan import Interval, Plans
from domain.common.errors import Invalid
from domain.common.money import CREDIT, format_amount
from domain.marketplace.use import price_of
from domain.payments.topup import Package

#: Advice about less than this share of the month's spending in its currency is not given, in hundredths.
LEAST_PERCENT = 1
#: How long advice that was dismissed stays away.
DISMISSED_FOR = timedelta(days=90)
#: Payments by one provider that were decided, below which its rate says nothing.
LEAST_PAYMENTS = 10
#: How long after a refusal a raise of the limit belongs to it.
RAISED_WITHIN = timedelta(days=7)


class AdviceKind(StrEnum):
    """The kinds of advice."""

    PACKAGE = "package"
    ANNUAL_PLAN = "annual_plan"
    AUTO_TOPUP = "auto_topup"
    CHEAPER_AGENT = "cheaper_agent"
    UNUSED = "unused"
    PAYMENT_METHOD = "payment_method"
    LIMIT = "limit"


class Meaning(StrEnum):
    """What the amount is: money that would have been saved, or money that could not be spent or received in time."""

    SAVING = "saving"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Act:
    """The API call that takes the advice."""

    method: str
    path: str
    body: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Insight:
    """One piece of advice.

    Attributes:
        subject: what it is about, unique among its kind: an id or a code.
        amount_minor: the money of the month, in `currency`; `meaning` says what it is.
        title: one sentence.
        how: the arithmetic, as sentences with its figures.
        figures: the same figures by name: amounts as decimal strings, counts as numbers.
        act: the call that takes it; `page` is the page of the console where it is taken.
    """

    kind: AdviceKind
    subject: str
    amount_minor: int
    currency: str
    meaning: Meaning
    title: str
    how: tuple[str, ...]
    figures: Mapping[str, str | int]
    act: Act
    page: str

    @property
    def id(self) -> str:
        """The same advice has the same id in every month."""
        return f"{self.kind.value}-{self.subject}"


# What happened -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Bought:
    """Credits that were bought for money in one currency, without what was refunded.

    `paid_minor` is in the terms of package prices: with tax only where they include it.
    """

    currency: str
    orders: int
    credits_minor: int
    paid_minor: int
    largest_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribed:
    """The subscription that ran through the whole month at usual prices."""

    plan: str
    interval: Interval
    amount_minor: int
    currency: str
    quantity: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Charges that were refused on one day; repeats of the same charge count once.

    `control_id` is None for lack of credits; `is_budget` says that it is a budget's.
    """

    control_id: str | None
    is_budget: bool = False
    agent_id: str | None
    action: str
    day: date
    latest: datetime
    number: int
    amount_minor: int
    largest_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """A listed offer of the same category and model, for the same currency."""

    agent_id: str
    name: str
    rank_e6: int
    price_minor: int | None = None
    usage_prices: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentUse:
    """What an agent in the library cost in the month: by the meter, or the price of the month (`quantities` empty)."""

    agent_id: str
    name: str
    rank_e6: int
    currency: str
    paid_minor: int
    quantities: Mapping[str, int]
    alternatives: Sequence[Alternative]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unused:
    """What was paid for the month, and why it counts as unused."""

    subject: str
    name: str
    amount_minor: int
    currency: str
    why: str
    act: Act
    page: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """Payments by one provider and method that succeeded or failed, and by currency what they were for."""

    provider: str
    method: str | None
    succeeded: int
    failed: int
    received_minor: Mapping[str, int]
    declined_minor: Mapping[str, int]

    @property
    def name(self) -> str:
        """What it is called."""
        return self.provider if self.method is None else f"{self.provider} {self.method}"

    @property
    def failing(self) -> Fraction:
        """The share of payments that failed."""
        return Fraction(self.failed, self.succeeded + self.failed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What happened in the month, and the prices that stand now.

    Attributes:
        spending: by currency; credits without what was refunded, money as it was paid in or out.
        has_auto_topup: whether automatic top-up is enabled now.
        raises: when limits were raised, by control.
        captured: credits charged by day, action and agent; the agent is None where a person or a system spent.
    """

    spending: Mapping[str, int]
    packages: Sequence[Package] = ()
    bought: Sequence[Bought] = ()
    plans: Plans | None = None
    subscribed: Subscribed | None = None
    has_auto_topup: bool = True
    refused: Sequence[Refused] = ()
    agents: Sequence[AgentUse] = ()
    unused: Sequence[Unused] = ()
    tried: Sequence[Tried] = ()
    raises: Mapping[str, Sequence[datetime]] = field(default_factory=dict)
    captured: Mapping[tuple[date, str, str | None], int] = field(default_factory=dict)


# The rules -----------------------------------------------------------------------------------------------------------


def larger_package(facts: Facts) -> Iterator[Insight]:
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
        paid, would = _money(bought.paid_minor, bought.currency), _money(cost, bought.currency)
        credits, packages = _money(bought.credits_minor, CREDIT), _times(number, "package")
        yield Insight(
            kind=AdviceKind.PACKAGE,
            subject=bought.currency,
            amount_minor=bought.paid_minor - cost,
            currency=bought.currency,
            meaning=Meaning.SAVING,
            title=f"The package {package.name} would have been cheaper.",
            how=(
                f"You bought {credits} in {_times(bought.orders, 'order')} for {paid}.",
                f"{packages} {package.name} of {_money(package.credits_minor, CREDIT)} would have cost {would}.",
            ),
            figures={
                "orders": bought.orders,
                "credits": format_amount(bought.credits_minor, CREDIT),
                "paid": format_amount(bought.paid_minor, bought.currency),
                "package": package.name,
                "packages": number,
                "would_have_cost": format_amount(cost, bought.currency),
            },
            act=Act("POST", "/billing/purchase-credits", {"package": package.name}),
            page="/top-up",
        )


def annual_plan(facts: Facts) -> Iterator[Insight]:
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
        meaning=Meaning.SAVING,
        title="Your plan costs less when it is paid by the year.",
        how=(
            f"You paid {_money(held.amount_minor, held.currency)} for the month.",
            f"A year costs {_money(year, held.currency)}, which is {_money(month, held.currency)} a month.",
        ),
        figures={
            "month": format_amount(held.amount_minor, held.currency),
            "year": format_amount(year, held.currency),
            "year_by_month": format_amount(month, held.currency),
        },
        act=Act("PUT", "/billing/subscription", {"plan": held.plan, "interval": Interval.YEAR.value}),
        page="/billing",
    )


def auto_topup(facts: Facts) -> Iterator[Insight]:
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
        meaning=Meaning.STOPPED,
        title=f"Automatic top-up would have avoided {_times(number, 'refusal')} for lack of credits.",
        how=(
            f"{_times(number, 'charge')} of {_money(total, CREDIT)} in all {_were(number)} refused.",
            "Repeats of the same charge on the same day count once.",
            f"{_money(amount, CREDIT)} of that counts: at most what was spent in the month.",
        ),
        figures={"refused": number, "refused_amount": format_amount(total, CREDIT), "largest": largest},
        act=Act(
            "PUT",
            "/billing/auto-topup",
            {"below": largest, "credits": largest, "monthly_cap": format_amount(amount, CREDIT)},
        ),
        page="/auto-top-up",
    )


def cheaper_agent(facts: Facts) -> Iterator[Insight]:
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
        paid, would = _money(used.paid_minor, used.currency), _money(cost, used.currency)
        what = "the same uses" if used.quantities else "the month"
        yield Insight(
            kind=AdviceKind.CHEAPER_AGENT,
            subject=used.agent_id,
            amount_minor=used.paid_minor - cost,
            currency=used.currency,
            meaning=Meaning.SAVING,
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
            act=Act("POST", f"/marketplace/agents/{other.agent_id}/purchase"),
            page=f"/marketplace/{other.agent_id}",
        )


def _cost_at(other: Alternative, used: AgentUse) -> int | None:
    if not used.quantities:
        return other.price_minor
    try:
        return sum(price_of(other.usage_prices or {}, meter, number) for meter, number in used.quantities.items())
    except Invalid:
        return None


def unused(facts: Facts) -> Iterator[Insight]:
    """Advise to end what nobody used."""
    for each in facts.unused:
        yield Insight(
            kind=AdviceKind.UNUSED,
            subject=each.subject,
            amount_minor=each.amount_minor,
            currency=each.currency,
            meaning=Meaning.SAVING,
            title=f"Nobody used {each.name}.",
            how=(f"You paid {_money(each.amount_minor, each.currency)} for the month.", each.why),
            figures={"paid": format_amount(each.amount_minor, each.currency)},
            act=each.act,
            page=each.page,
        )


def payment_method(facts: Facts) -> Iterator[Insight]:
    """Advise the method that fails less often where another one's failures cost payments."""
    enough = [each for each in facts.tried if each.succeeded + each.failed >= LEAST_PAYMENTS]
    if len(enough) < 2:
        return
    best = min(enough, key=lambda each: (each.failing, each.name))
    for each in enough:
        for currency, declined in each.declined_minor.items() if each.failing > best.failing else ():
            whole = declined + each.received_minor.get(currency, 0)
            expected = -(-whole * best.failing.numerator // best.failing.denominator)
            yield Insight(
                kind=AdviceKind.PAYMENT_METHOD,
                subject=f"{each.name}_{currency}".replace(" ", "_"),
                amount_minor=declined - expected,
                currency=currency,
                meaning=Meaning.STOPPED,
                title=f"Payments by {best.name} succeed more often than by {each.name}.",
                how=(
                    f"By {each.name} {each.failed} of {each.succeeded + each.failed} payments failed, "
                    f"{_money(declined, currency)} of {_money(whole, currency)}.",
                    f"By {best.name} {best.failed} of {best.succeeded + best.failed} failed. At that rate, "
                    f"{_money(expected, currency)} would have failed.",
                ),
                figures={
                    "failed": each.failed,
                    "payments": each.succeeded + each.failed,
                    "other_failed": best.failed,
                    "other_payments": best.succeeded + best.failed,
                    "failed_amount": format_amount(declined, currency),
                },
                act=Act("POST", "/payments/create", {"provider": best.provider, "currency": currency}),
                page="/payment-methods",
            )


def limit(facts: Facts) -> Iterator[Insight]:
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
            meaning=Meaning.STOPPED,
            title="A limit stopped charges that were made later all the same.",
            how=(
                f"The limit refused {_times(number, 'charge')}, which were made after it was raised, or by a person.",
                f"{_money(amount, CREDIT)} of what was refused was charged later for the same actions.",
            ),
            figures={"refused": number, "charged_later": format_amount(amount, CREDIT)},
            act=Act("PUT", f"/{'budgets' if is_budget else 'spend-controls'}/{control_id}"),
            page=f"/{'budgets' if is_budget else 'limits'}/{control_id}",
        )


def _done_later(refused: Refused, facts: Facts) -> int:
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


def _charged(facts: Facts, day: date, action: str, agent_id: str | None) -> int:
    days = (day, day + timedelta(days=1))
    return sum(facts.captured.get((each, action, agent_id), 0) for each in days)


#: Every kind of advice. Another one is another function here.
RULES: tuple[Callable[[Facts], Iterable[Insight]], ...] = (
    larger_package,
    annual_plan,
    auto_topup,
    cheaper_agent,
    unused,
    payment_method,
    limit,
)


def advise(facts: Facts) -> list[Insight]:
    """Return all advice that is worth giving, the largest share of the month's spending in its currency first."""
    found = [each for rule in RULES for each in rule(facts) if is_worth(each, facts.spending)]
    return sorted(found, key=lambda each: (-Fraction(each.amount_minor, max(1, _spent(each, facts.spending))), each.id))


def is_worth(insight: Insight, spending: Mapping[str, int]) -> bool:
    """Return whether it is about at least one hundredth of the month's spending in its currency."""
    return insight.amount_minor > 0 and insight.amount_minor * 100 >= LEAST_PERCENT * _spent(insight, spending)


def standing(insights: Iterable[Insight], dismissed: Set[str]) -> list[Insight]:
    """Return the advice that was not dismissed."""
    return [each for each in insights if each.id not in dismissed]


def _spent(insight: Insight, spending: Mapping[str, int]) -> int:
    return spending.get(insight.currency, 0)


def _money(amount_minor: int, currency: str) -> str:
    return f"{format_amount(amount_minor, currency)} {'credits' if currency == CREDIT else currency}"


def _times(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _were(number: int) -> str:
    return "was" if number == 1 else "were"


def _points(rank_e6: int) -> str:
    return f"{rank_e6 // 100_000}.{rank_e6 // 10_000 % 10}"
