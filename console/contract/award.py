"""The form that awards work: what it holds, what is sent for it, and what it shows."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from console.escrow.terms import Fact
from console.format import Amount, Prefs, amount, count
from console.forms import Form, FormState, period, written
from console.gateway import Answer
from console.marketplace.view import FIND, Face, face_of, job_price
from console.paying import currencies
from console.widgets import FormPage, Link
from domain.common.errors import Invalid
from domain.common.money import CREDIT, format_amount, parse_amount
from domain.marketplace.least_payout import least_payout
from domain.marketplace.offer import OfferModel
from runtime.settings import Settings

#: The periods of a contract, by their names in the API, and their words.
PERIODS = {
    "fund_within": "Fund within",
    "deliver_within": "Deliver within",
    "review_period": "Review for",
    "evidence_period": "Accept evidence for",
    "decision_period": "Decide within",
    "default_grace": "Grace before the default",
}
FIELDS = (
    *("agent_id", "title", "price", "currency", "validation_threshold", "signatories", "required_signatures"),
    *("milestones", "dispute_default_payee_share", "operator_approvals", "fund", "confirmed"),
    *PERIODS,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    name: str
    label: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Award(FormPage):
    path: str
    face: Face
    price: str
    others: str
    signatory: str
    currencies: tuple[tuple[str, str], ...]
    periods: tuple[Period, ...]
    share: str
    ways: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Review(FormPage):
    """What is asked before money moves: the same form, with nothing left to fill in."""

    path: str
    face: Face
    price: Amount
    source: str
    facts: tuple[Fact, ...]
    fields: tuple[tuple[str, str], ...]
    back: str
    label: str


def first(agent: Mapping[str, Any]) -> dict[str, str]:
    """Return what the form has before anything is typed: the listed price, unless it is for a month."""
    pricing = agent["pricing"]
    is_of_job = pricing["amount"] is not None and pricing["model"] != OfferModel.MONTHLY
    currency = pricing["currency"] if is_of_job else CREDIT
    return {
        "agent_id": agent["id"],
        "price": written(pricing["amount"]) if is_of_job else "",
        "currency": currency,
        "validation_threshold": "0.80",
        "operator_approvals": "on",
        "fund": "credits" if currency == CREDIT else "outside",
    }


def page(
    form: FormState,
    agent: Mapping[str, Any],
    config: Answer,
    base: str,
    prefs: Prefs,
    defaults: Mapping[str, Any],
    me: str,
) -> Award:
    """Return the form."""
    others = f"{base}/marketplace"
    return Award(
        title=f"Hire {agent['name']}",
        crumbs=(Link(label=FIND, href=others), Link(label=agent["name"], href=f"{others}/{agent['id']}")),
        path=f"{base}/escrows/new",
        form=form,
        face=face_of(agent["id"], agent),
        price=job_price(agent, prefs),
        others=others,
        signatory=me,
        currencies=currencies(config, *_likely(form, agent, config)),
        periods=tuple(
            Period(name=name, label=label, hint=f"Empty: {in_words(defaults[name], prefs)}.")
            for name, label in PERIODS.items()
        ),
        share=str(defaults["dispute_default_payee_share"]),
        ways=(
            ("credits", "Pay into escrow from credits", "You confirm the amount on the next page."),
            (
                "balance",
                "Pay into escrow from the balance",
                "For prices in money. You confirm the amount first.",
            ),
            ("outside", "Pay by card, PayPal or coins", "On the next page."),
            ("", "Pay later", "No money moves now. You pay on the page of the escrow."),
        ),
    )


def _likely(form: FormState, agent: Mapping[str, Any], config: Answer) -> tuple[str, ...]:
    """Return the currencies that stand before all others: the agent's, that in which credits are sold, the chosen."""
    bounds = agent["terms"].get("price") or {}
    sold = config.body["credit_price"]["currency"] if config.ok else ""
    return (agent["pricing"]["currency"] or "", bounds.get("currency") or "", sold, form.value("currency"))


def review(
    form: Form, agent: Mapping[str, Any], settings: Settings, base: str, prefs: Prefs, *, is_own: bool = False
) -> Review:
    """Return what is asked before an escrow is funded; the price is a plain decimal number.

    The least that is paid out is that of the platform's usual commission. An organization's own agent, which `is_own`,
    is paid out nothing.
    """
    currency = form.text("currency") or CREDIT
    price = amount(form.number("price"), currency, prefs)
    back = f"{base}/escrows/new?agent={agent['id']}"
    shown = (("Work", "title"), ("Signatories", "signatories"), ("Milestones", "milestones"))
    least = "" if is_own else _least(form.number("price"), currency, settings, prefs)
    return Review(
        title=f"Hire {agent['name']} and pay {price} into escrow?",
        crumbs=(Link(label=FIND, href=f"{base}/marketplace"), Link(label=f"Hire {agent['name']}", href=back)),
        path=f"{base}/escrows/new",
        form=FormState(key=form.key),
        face=face_of(agent["id"], agent),
        price=price,
        source="your credits" if form.text("fund") == "credits" else f"your balance in {currency}",
        facts=(
            *(Fact(label=label, value=form.text(name)) for label, name in shown if form.text(name)),
            *((Fact(label="Minimum payout", value=least),) if least else ()),
        ),
        fields=tuple((name, value) for name, value in form.values.items() if name != "confirmed"),
        back=back,
        label=f"Hire and pay {price}",
    )


def _least(price: str, currency: str, settings: Settings, prefs: Prefs) -> str:
    """Write the least that is paid out of a price; empty for one that the API refuses."""
    try:
        minor = parse_amount(price, currency)
    except Invalid:
        return ""
    lowest, sharing = settings.lowest_price_of_credits, settings.sharing
    paid, of = least_payout(minor, currency, settings.commission_bps, lowest=lowest, sharing=sharing)
    return amount(format_amount(paid, of), of, prefs).text


def body(form: Form) -> dict[str, Any]:
    """Return what is sent to `POST /contracts`; what was left empty is left out."""
    given: dict[str, Any] = {name: form.maybe(name) for name in ("agent_id", "title", "currency")}
    given["price"] = form.maybe_number("price")
    given |= {name: period(form.text(name)) for name in PERIODS if form.text(name)}
    given["dispute_default_payee_share"] = form.maybe("dispute_default_payee_share")
    given["signatories"] = re.split(r"[\s,;]+", form.text("signatories")) if form.text("signatories") else None
    needed = form.text("required_signatures")
    given["required_signatures"] = int(needed) if needed.isdecimal() and len(needed) < 6 else needed or None
    given["milestones"] = milestones(form.text("milestones")) or None
    kept = {name: value for name, value in given.items() if value is not None}
    return {
        **kept,
        "validation_threshold": form.maybe("validation_threshold"),
        "operator_approvals": form.text("operator_approvals") == "on",
    }


def milestones(text: str) -> list[dict[str, str]]:
    """Read milestones: one a line, its name and behind it its amount."""
    found = []
    for line in filter(None, (line.strip() for line in text.splitlines())):
        name, _, price = line.rpartition(" ")
        found.append({"name": name.strip().removesuffix(":"), "amount": price})
    return found


def in_words(period: timedelta, prefs: Prefs) -> str:
    """Write a period of the settings in its largest whole unit."""
    minutes = int(period.total_seconds()) // 60
    for size, word in ((1440, "day"), (60, "hour"), (1, "minute")):
        if minutes % size == 0:
            number = minutes // size
            return f"{count(number, prefs)} {word}{'' if number == 1 else 's'}"
    return f"{count(minutes, prefs)} minutes"
