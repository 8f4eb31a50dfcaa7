"""Plans as pages show them: what each costs the organization, and what it includes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any

from console.format import Amount, Prefs, amount, count, decimal, digits_of, joined, money, saving, titled
from console.gateway import Answer
from console.problems import answered
from console.widgets import Failed, Link, Page, Tab
from domain.billing.plan import FREE, Interval
from domain.billing.subscription.state import CHANGEABLE, ChangeKind, SubscriptionStatus

#: The interval of a plan, as shown behind a price.
EVERY: Mapping[str, str] = {Interval.MONTH: "a month", Interval.YEAR: "a year"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a plan costs; `href` leads to what choosing it would do, and is empty if the reader may not.

    `saved` says what a year's price saves against twelve months, and `part` how much of them; both are empty where
    that is nothing.
    """

    amount: Amount
    every: str
    agreed: bool
    saved: str
    part: str
    label: str
    href: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One plan; `price` is that of the chosen interval, or the only one there is. None for the free plan."""

    name: str
    current: bool
    price: Price | None
    prices: tuple[Price, ...]
    credits: str
    projects: str
    deployments: str
    seats: str
    api: str
    integrations: str
    trial: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plans(Page):
    """The plans. `failed` is shown instead if the API did not answer; `manage` is empty for most roles.

    Attributes:
        intervals: the switch between prices by the month and by the year; empty where plans have one of them only.
        differences: one sentence for each pair of neighbours of which the cheaper one has more of something.
    """

    intervals: tuple[Tab, ...] = ()
    plans: tuple[Plan, ...] = ()
    differences: tuple[str, ...] = ()
    manage: str = ""
    failed: Failed | None = None


def page(
    answers: Mapping[str, Answer], prefs: Prefs, here: str, *, may_change: bool, interval: str = Interval.MONTH
) -> Plans:
    """Return the plans with the prices of an interval."""
    interval = Interval.YEAR if interval == Interval.YEAR else Interval.MONTH
    known = all(answered(answers[each]) for each in ("config", "terms", "entitlements"))
    held = subscription_of(answers["subscription"])
    missing = next((each for each in answers.values() if not each.ok and each.status != 404), None)
    if not known or missing is not None:
        request_id = missing.request_id if missing is not None else ""
        failed = Failed(title="Plans", request_id=request_id, again=f"{here}/plans")
        return Plans(title="Plans", crumbs=(_crumb(here),), failed=failed)
    terms, current = answers["terms"].body, answers["entitlements"].body["plan"]
    open_to = held is None or "change" in commands_of(held)
    choose = f"{here}/change" if may_change and open_to else ""
    sold = answers["config"].body["plans"]
    return Plans(
        title="Plans",
        crumbs=(_crumb(here),),
        intervals=_intervals(sold, here, interval),
        plans=tuple(_plan(each, terms, held, current, choose, interval, prefs) for each in sold),
        differences=differences(sold, prefs),
        manage=here if may_change and not open_to else "",
    )


def _intervals(sold: Sequence[Mapping[str, Any]], here: str, interval: Interval) -> tuple[Tab, ...]:
    there = {price["interval"] for plan in sold for price in plan["prices"]}
    if there != set(Interval):
        return ()
    return tuple(
        Tab(label=label, href=f"{here}/plans?interval={each}", current=each == interval)
        for each, label in ((Interval.MONTH, "Monthly"), (Interval.YEAR, "Yearly"))
    )


#: What plans have more or less of: how it is read, and what it is called.
_FACTS: tuple[tuple[Callable[[Mapping[str, Any]], Any], str], ...] = (
    (lambda plan: decimal(plan["credits_per_month"]), "credits a month"),
    (lambda plan: plan["limits"]["projects"], "projects"),
    (lambda plan: plan["limits"]["deploys"], "deployments"),
    (lambda plan: plan["limits"]["seats"], "people"),
)


def differences(sold: Sequence[Mapping[str, Any]], prefs: Prefs) -> tuple[str, ...]:
    """Say what each of two neighbours has more of, where the dearer one has not more of everything."""
    paid = [plan for plan in sold if plan["prices"]]
    found = []
    for cheaper, dearer in pairwise(paid):
        if more := _more(cheaper, dearer, prefs):
            has = f"{cheaper['name']} has more {joined(more)}"
            other = _more(dearer, cheaper, prefs)
            found.append(f"{has}; {dearer['name']} has more {joined(other)}." if other else f"{has}.")
    return tuple(found)


def _more(plan: Mapping[str, Any], other: Mapping[str, Any], prefs: Prefs) -> list[str]:
    found = []
    for read, name in _FACTS:
        # No limit is more than any.
        own, less = (Decimal("Infinity") if each is None else Decimal(each) for each in (read(plan), read(other)))
        if own > less:
            words = [digits_of(each, prefs) if each.is_finite() else "any number" for each in (own, less)]
            found.append(f"{name} ({words[0]} instead of {words[1]})")
    return found


def subscription_of(answer: Answer) -> Mapping[str, Any] | None:
    """Return the subscription; None if there is none, or it is not known: `answered` tells the two apart."""
    if answer.status == 404 or not answered(answer):
        return None
    found: Mapping[str, Any] = answer.body
    return found


def commands_of(held: Mapping[str, Any]) -> frozenset[str]:
    """Return what the API takes in a state: `change`, `cancel` (at the end), `end` (now), `resume`."""
    status, found = held["status"], {"end"}
    if status == SubscriptionStatus.ENDED:
        return frozenset()
    waiting, cancelled = held["pending_change"], held["cancel_at_period_end"]
    smaller = waiting is not None and waiting["kind"] == ChangeKind.DOWNGRADE
    if status in CHANGEABLE and (cancelled or smaller):
        found.add("resume")
    if status in CHANGEABLE and waiting is None:
        found.add("change")
    if status in CHANGEABLE | {SubscriptionStatus.PAST_DUE} and held["period_end"] and not cancelled:
        found.add("cancel")
    return frozenset(found)


def prices_of(plan: Mapping[str, Any], terms: Mapping[str, Any], currency: str) -> dict[str, tuple[str, bool]]:
    """Return what a plan costs the organization by interval: the amount, and whether it was agreed with it."""
    listed = {
        each["interval"]: (each["price"]["amount"], False)
        for each in plan["prices"]
        if each["price"]["currency"] == currency
    }
    agreed = {
        each["interval"]: (each["amount"], True)
        for each in terms["plan_prices"]
        if (each["plan"], each["currency"]) == (plan["id"], currency)
    }
    return listed | agreed


def title_of(name: str, config: Answer) -> str:
    """Return what people call a plan; its name where that is not known, or it is not sold any more."""
    plans = config.body["plans"] if config.ok else ()
    return next((str(each["name"]) for each in plans if each["id"] == name), titled(name))


def _crumb(here: str) -> Link:
    return Link(label="Billing", href=here)


def _plan(
    plan: Mapping[str, Any],
    terms: Mapping[str, Any],
    held: Mapping[str, Any] | None,
    current: str,
    choose: str,
    interval: Interval,
    prefs: Prefs,
) -> Plan:
    currency = terms["currency"] if held is None else held["price"]["currency"]
    limits, days, by_seat = plan["limits"], plan["trial_days"], plan["per_seat"]
    costs = prices_of(plan, terms, currency)
    own = None if held is None or held["plan"] != plan["id"] else held["interval"]
    saved, part = _saved(costs, currency, prefs)
    prices = {
        each: Price(
            amount=amount(cost, currency, prefs),
            every=f"a seat {EVERY[each]}" if by_seat else EVERY[each],
            agreed=agreed,
            saved=saved if each == Interval.YEAR else "",
            part=part if each == Interval.YEAR else "",
            label=_label(plan["name"], each, own),
            # What one has is chosen again for another number of seats only.
            href=f"{choose}?plan={plan['id']}&interval={each}" if choose and (by_seat or own != each) else "",
        )
        for each, (cost, agreed) in costs.items()
    }
    return Plan(
        name=plan["name"],
        current=plan["id"] == current,
        price=prices.get(interval) or next(iter(prices.values()), None),
        prices=tuple(prices.values()),
        credits=digits_of(decimal(plan["credits_per_month"]), prefs),
        projects=_limit(limits["projects"], prefs),
        deployments=_limit(limits["deploys"], prefs),
        seats=_limit(limits["seats"], prefs, "Up to " if by_seat else ""),
        api="Yes" if limits["api_access"] else "No",
        integrations="Yes" if limits["custom_integrations"] else "No",
        trial=f"{days} days" if days and plan["id"] != FREE else "",
    )


def _label(name: str, interval: str, own: str | None) -> str:
    if own is None:
        return f"Choose {name}"
    return "Change seats" if own == interval else f"Switch to {interval}ly"


def _saved(costs: Mapping[str, tuple[str, bool]], currency: str, prefs: Prefs) -> tuple[str, str]:
    """Return what the year's price saves against twelve months, as an amount and as a part of them."""
    if not {Interval.MONTH, Interval.YEAR} <= costs.keys():
        return "", ""
    month, year = (decimal(costs[each][0]) for each in (Interval.MONTH, Interval.YEAR))
    part = saving(year, 12 * month, prefs)
    return (f"{money(f'{12 * month - year:f}', currency, prefs)} less than 12 months", part) if part else ("", "")


def _limit(limit: int | None, prefs: Prefs, before: str = "") -> str:
    return "Any number" if limit is None else f"{before}{count(limit, prefs)}"
