"""Plans as pages show them: what each costs the organization, and what it includes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.format import Amount, Prefs, amount, count, titled
from console.gateway import Answer
from console.problems import answered
from console.widgets import Failed, Link
from domain.billing.plan import FREE, Interval
from domain.billing.subscription.state import CHANGEABLE, ChangeKind, SubscriptionStatus

#: The interval of a plan, as shown behind a price.
EVERY: Mapping[str, str] = {Interval.MONTH: "a month", Interval.YEAR: "a year"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a plan costs; `href` leads to what choosing it would do, and is empty if the reader may not."""

    amount: Amount
    every: str
    agreed: bool
    label: str
    href: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One plan of the comparison."""

    name: str
    current: bool
    prices: tuple[Price, ...]
    credits: Amount
    projects: str
    deployments: str
    seats: str
    api: str
    integrations: str
    trial: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plans:
    """The comparison. `failed` is shown instead if the API did not answer; `manage` is empty for most roles."""

    title: str
    crumbs: tuple[Link, ...]
    plans: tuple[Plan, ...]
    manage: str
    failed: Failed | None


def page(answers: Mapping[str, Answer], prefs: Prefs, here: str, *, may_change: bool) -> Plans:
    """Return the comparison.

    Args:
        answers: `config`, `subscription`, `terms`, `entitlements`.
        prefs: how the reader reads.
        here: where the pages of billing begin.
        may_change: whether the reader may choose one.
    """
    known = all(answered(answers[each]) for each in ("config", "terms", "entitlements"))
    held = subscription_of(answers["subscription"])
    missing = next((each for each in answers.values() if not each.ok and each.status != 404), None)
    if not known or missing is not None:
        request_id = missing.request_id if missing is not None else ""
        failed = Failed(title="Plans", request_id=request_id, again=f"{here}/plans")
        return Plans(title="Plans", crumbs=(_crumb(here),), plans=(), manage="", failed=failed)
    terms, current = answers["terms"].body, answers["entitlements"].body["plan"]
    open_to = held is None or "change" in commands_of(held)
    choose = f"{here}/change" if may_change and open_to else ""
    return Plans(
        title="Plans",
        crumbs=(_crumb(here),),
        plans=tuple(_plan(each, terms, held, current, choose, prefs) for each in answers["config"].body["plans"]),
        manage=here if may_change and not open_to else "",
        failed=None,
    )


def subscription_of(answer: Answer) -> Mapping[str, Any] | None:
    """Return the subscription; None if there is none, or it is not known: `answered` tells the two apart.

    Raises:
        Refused: finally.
    """
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
    prefs: Prefs,
) -> Plan:
    currency = terms["currency"] if held is None else held["price"]["currency"]
    limits, days = plan["limits"], plan["trial_days"]
    own = None if held is None else (held["plan"], held["interval"])
    by_seat = plan["per_seat"]
    prices = []
    for interval, (cost, agreed) in prices_of(plan, terms, currency).items():
        is_own = own == (plan["id"], interval)
        offered = choose and (by_seat or not is_own)
        prices.append(
            Price(
                amount=amount(cost, currency, prefs),
                every=f"a seat {EVERY[interval]}" if by_seat else EVERY[interval],
                agreed=agreed,
                label="Change the seats"
                if is_own
                else f"Choose {plan['name']}, {'monthly' if interval == 'month' else 'yearly'}",
                href=f"{choose}?plan={plan['id']}&interval={interval}" if offered else "",
            )
        )
    return Plan(
        name=plan["name"],
        current=plan["id"] == current,
        prices=tuple(prices),
        credits=amount(plan["credits_per_month"], "CREDIT", prefs),
        projects=_limit(limits["projects"], prefs),
        deployments=_limit(limits["deploys"], prefs),
        seats=_limit(limits["seats"], prefs, "Up to " if by_seat else ""),
        api="Yes" if limits["api_access"] else "No",
        integrations="Yes" if limits["custom_integrations"] else "No",
        trial=f"{days} days" if days and plan["id"] != FREE else "",
    )


def _limit(limit: int | None, prefs: Prefs, before: str = "") -> str:
    return "Any number" if limit is None else f"{before}{count(limit, prefs)}"
