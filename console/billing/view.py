"""What the page of billing shows, and the pages that ask before a subscription is cancelled or goes on."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from console.billing.plans import EVERY, commands_of, subscription_of, title_of
from console.format import (
    Amount,
    Moment,
    Prefs,
    amount,
    count,
    day,
    decimal,
    moment,
    money,
    month,
    percent,
    relative,
    service_period,
)
from console.forms import FormState
from console.gateway import Answer
from console.invoice.view import Row, row as invoice_row
from console.payment.view import company
from console.problems import answered
from console.status import Status, status_of
from console.widgets import Confirmation, External, Failed, FormPage, Link, external
from domain.billing.subscription.state import CHANGEABLE, ChangeKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    plan: str
    status: Status
    price: Amount
    every: str
    agreed: bool
    seats: str
    credits: Amount
    period: str
    next: str
    change: str
    net: str
    checkout: External | None
    checkout_until: Moment | None
    pay: External | None
    cancel: str
    end: str
    resume: str
    resume_label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    label: str
    amount: Amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    description: str
    quantity: str
    amount: Amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Upcoming:
    period: str
    lines: tuple[Line, ...]
    sums: tuple[Sum, ...]
    due: Amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Billing(FormPage):
    """The page. `…_failed` is shown in place of a section that could not be read.

    Attributes:
        confirming: the reader comes back from paying, and the provider has not said yet that it was paid.
        plan: what the organization is on, whether it is subscribed to or given.
        held: the subscription; None if there is none.
        plans: leads to the comparison.
    """

    confirming: bool
    plan: str
    plans: str
    held: Held | None
    held_failed: Failed | None
    upcoming: Upcoming | None
    upcoming_failed: Failed | None
    invoices: tuple[Row, ...]
    invoices_more: Link
    invoices_failed: Failed | None


def page(
    answers: Mapping[str, Answer],
    form: FormState,
    prefs: Prefs,
    base: str,
    now: datetime,
    *,
    may_change: bool,
    came_back: bool = False,
) -> Billing:
    """Return the page for `subscription`, `entitlements`, `config`, `upcoming` and `invoices` of the API."""
    here = f"{base}/billing"
    entitlements, config = answers["entitlements"], answers["config"]
    held = subscription_of(answers["subscription"])
    upcoming_, invoices = answers["upcoming"], answers["invoices"]
    return Billing(
        title="Billing",
        form=form,
        confirming=came_back and held is not None and bool(held["checkout_url"]),
        plan=title_of(entitlements.body["plan"], config) if answered(entitlements) else "",
        plans=f"{here}/plans",
        held=None if held is None else held_of(held, config, prefs, here, now, may_change=may_change),
        held_failed=_failed("Your subscription", answers["subscription"], here, absent=True),
        upcoming=upcoming(upcoming_.body, prefs) if answered(upcoming_) else None,
        upcoming_failed=_failed("Upcoming invoice", upcoming_, here),
        invoices=tuple(invoice_row(each, prefs, base) for each in invoices.body["data"]) if answered(invoices) else (),
        invoices_more=Link(label="All invoices", href=f"{base}/invoices"),
        invoices_failed=_failed("Invoices", invoices, here),
    )


def _failed(title: str, answer: Answer, here: str, *, absent: bool = False) -> Failed | None:
    if answer.ok or (absent and answer.status == 404):
        return None
    return Failed(title=title, request_id=answer.request_id, again=here)


def held_of(
    held: Mapping[str, Any], config: Answer, prefs: Prefs, here: str, now: datetime, *, may_change: bool
) -> Held:
    ways = commands_of(held) if may_change else frozenset()
    checkout, until = held["checkout_url"], held["checkout_expires_at"]
    begun = held["period_start"] and held["period_end"]
    return Held(
        plan=title_of(held["plan"], config),
        status=status_of("subscription", held["status"]),
        price=amount(held["price"]["amount"], held["price"]["currency"], prefs),
        every=EVERY[held["interval"]],
        agreed=held["is_agreed_price"],
        seats="" if held["seats"] is None else count(held["seats"], prefs),
        credits=amount(held["credits_per_month"], "CREDIT", prefs),
        period=service_period(held["period_start"], held["period_end"], prefs) if begun else "",
        next=next_of(held, config, prefs, now),
        change=f"{here}/plans" if "change" in ways else "",
        net=f"Due {held['net_days']} days after its invoice." if held["net_days"] else "",
        checkout=external(f"Continue to {company('stripe')}", checkout) if checkout and may_change else None,
        checkout_until=moment(until, prefs) if checkout and until else None,
        pay=external("Pay amount due", held["pay_url"]) if held["pay_url"] and may_change else None,
        cancel=f"{here}/cancel" if "cancel" in ways else "",
        end=f"{here}/end" if "end" in ways else "",
        resume=f"{here}/resume" if "resume" in ways else "",
        resume_label="Keep subscription" if held["cancel_at_period_end"] else "Keep plan",
    )


def next_of(held: Mapping[str, Any], config: Answer, prefs: Prefs, now: datetime) -> str:
    """Say what comes next in one sentence: the end, another plan, or the next bill; empty if nothing is known."""
    end, waiting = held["period_end"], held["pending_change"]
    if end is None:
        return ""
    at = f"on {day(end, prefs)}, {relative(end, now, prefs)}"
    if held["cancel_at_period_end"]:
        return f"It ends {at}. The organization then moves to the free plan."
    terms = waiting if waiting is not None and waiting["kind"] == ChangeKind.DOWNGRADE else held
    price = money(terms["price"]["amount"], terms["price"]["currency"], prefs)
    if terms is waiting:
        plan = title_of(waiting["plan"], config)
        return f"The plan changes to {plan} {at}: {price} {EVERY[waiting['interval']]}, plus tax where it applies."
    if held["status"] not in CHANGEABLE:
        return ""
    return f"The next bill is {at}: {price}, plus tax where it applies."


def upcoming(found: Mapping[str, Any], prefs: Prefs) -> Upcoming:
    """Return the invoice to come: its lines, and what leads from their sum to what is due."""
    currency = found["currency"]
    parts = (
        ("Usage", found["charges"]),
        (f"After a volume discount of {percent(found['discount'], prefs)}", found["usage"]),
        ("Remainder of the agreed minimum", found["shortfall"]),
        ("Paid with granted credits", found["granted_credits"]),
        ("Paid with credits taxed at purchase", found["taxed_credits"]),
        ("Subtotal", found["subtotal"]),
        ("Tax", found["tax"]),
        ("Total with tax", found["total"]),
        ("Paid with other credits", found["applied_credits"]),
        ("Rounding", found["rounding"]),
    )
    discounted = decimal(found["discount"]) != 0
    shown = [part for part in parts if decimal(part[1]) and (discounted or part != parts[1])]
    return Upcoming(
        period=month(f"{found['period']}-01", prefs),
        lines=tuple(
            Line(
                description=each["description"],
                quantity=count(each["quantity"], prefs),
                amount=amount(each["amount"], currency, prefs),
            )
            for each in found["lines"]
        ),
        sums=tuple(Sum(label=label, amount=amount(value, currency, prefs)) for label, value in shown),
        due=amount(found["due"], currency, prefs),
    )


def _smaller(held: Mapping[str, Any], config: Answer, prefs: Prefs) -> str:
    """Return the plan and price that begin with the next period, because a smaller plan was ordered."""
    change = held["pending_change"]
    if change is None or change["kind"] != "downgrade":
        return ""
    price = money(change["price"]["amount"], change["price"]["currency"], prefs)
    return f"on {title_of(change['plan'], config)}, for {price} {EVERY[change['interval']]}"


def asking(held: Mapping[str, Any], config: Answer, way: str, form: FormState, prefs: Prefs, here: str) -> Confirmation:
    """Return the page that asks before `cancel`, `end` or `resume`."""
    plan = title_of(held["plan"], config)
    price = f"{money(held['price']['amount'], held['price']['currency'], prefs)} {EVERY[held['interval']]}"
    end = day(held["period_end"], prefs) if held["period_end"] else ""
    facts = (("Plan", plan), ("Price", price), *((("Period until", end),) if end else ()))
    title, label, kind, effect = _asked(held, way, plan, price, end, _smaller(held, config, prefs))
    return Confirmation(
        title=title,
        back=here,
        action=f"{here}/{way}",
        label=label,
        kind=kind,
        form=form,
        facts=facts,
        effect=effect,
    )


def _asked(
    held: Mapping[str, Any], way: str, plan: str, price: str, end: str, smaller: str
) -> tuple[str, str, str, tuple[str, ...]]:
    if way == "cancel":
        kept = f"The plan stays until {end}. Nothing more is charged."
        then = "Then the organization moves to the free plan. Until then you can keep the subscription."
        return f"Cancel {plan} at the end of the period?", f"Cancel on {end}", "danger", (kept, then)
    if way == "end":
        at_once = "The organization moves to the free plan now."
        paid = "Nothing is refunded for the rest of the period. This cannot be undone."
        return f"Cancel {plan} now?", f"Cancel {plan} now", "danger", (at_once, paid)
    if held["cancel_at_period_end"]:
        goes_on = f"It continues after {end}, {smaller}." if smaller else f"It continues after {end}, for {price}."
        return f"Keep {plan}?", "Keep subscription", "primary", (goes_on, "Nothing is charged now.")
    stays = f"The downgrade on {end} is cancelled. {plan} continues, for {price}."
    return f"Stay on {plan}?", "Keep plan", "primary", (stays, "Nothing is charged now.")
