"""The form that awards work: what it holds, what is sent for it, and what it shows."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from console.escrow.terms import Fact
from console.format import Amount, Prefs, amount, count
from console.forms import Form, Shown, period
from console.lists import Choice
from console.widgets import Link
from domain.common.money import CREDIT

#: The periods of a contract, by their names in the API, and their words.
PERIODS = {
    "fund_within": "Fund within",
    "deliver_within": "Deliver within",
    "review_period": "Review for",
    "evidence_period": "Take evidence for",
    "decision_period": "Decide within",
    "default_grace": "Wait before the default",
}
FIELDS = (
    *("agent_id", "title", "price", "currency", "validation_threshold", "signatories", "required_signatures"),
    *("milestones", "dispute_default_payee_share", "operator_approvals", "fund", "confirmed"),
    *PERIODS,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A field for a period, and what applies where it is left empty."""

    name: str
    label: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Award:
    """The form."""

    title: str
    crumbs: tuple[Link, ...]
    path: str
    form: Shown
    agents: tuple[tuple[str, str], ...]
    more_agents: bool
    signatory: str
    periods: tuple[Period, ...]
    share: str
    ways: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What is asked before money moves: the same form, with nothing left to fill in."""

    title: str
    crumbs: tuple[Link, ...]
    path: str
    form: Shown
    price: Amount
    source: str
    facts: tuple[Fact, ...]
    fields: tuple[tuple[str, str], ...]
    back: str


def page(form: Shown, agents: Choice, base: str, prefs: Prefs, defaults: Mapping[str, Any], me: str) -> Award:
    """Return the form.

    Args:
        form: as it is shown.
        agents: that can be hired.
        base: where the organization's pages begin.
        prefs: how the reader reads.
        defaults: periods and share that apply where nothing is said, by their names in the API.
        me: the default signatory; empty for an operator.
    """
    listed = {each["id"]: _agent_words(each, prefs) for each in agents.rows}
    chosen = form.value("agent_id")
    if chosen and chosen not in listed:
        listed = {chosen: chosen, **listed}
    return Award(
        title="Award work",
        crumbs=(Link(label="Escrows", href=f"{base}/escrows"),),
        path=f"{base}/escrows/new",
        form=form,
        agents=(("", "Choose an agent"), *listed.items()),
        more_agents=agents.more,
        signatory=me,
        periods=tuple(
            Period(name=name, label=label, hint=f"Left empty: {in_words(defaults[name], prefs)}.")
            for name, label in PERIODS.items()
        ),
        share=str(defaults["dispute_default_payee_share"]),
        ways=(
            ("", "Open the escrow", "No money moves. You fund it on its page."),
            ("credits", "Open the escrow and fund it from credits", "You see the amount before anything is done."),
            ("balance", "Open the escrow and fund it from the balance", "For prices in money; you see the amount."),
            ("outside", "Open the escrow and pay for it", "By card, PayPal or coins, on the page that follows."),
        ),
    )


def review(form: Form, base: str, prefs: Prefs) -> Review:
    """Return what is asked before an escrow is funded; the price is a plain decimal number."""
    currency = form.text("currency") or CREDIT
    price = amount(form.number("price"), currency, prefs)
    shown = (("Work", "title"), ("Agent", "agent_id"), ("Signatories", "signatories"), ("Milestones", "milestones"))
    return Review(
        title="Award and fund",
        crumbs=(Link(label="Award work", href=f"{base}/escrows/new"),),
        path=f"{base}/escrows/new",
        form=Shown(key=form.key),
        price=price,
        source="your credits" if form.text("fund") == "credits" else f"your balance in {currency}",
        facts=tuple(Fact(label=label, value=form.text(name)) for label, name in shown if form.text(name)),
        fields=tuple((name, value) for name, value in form.values.items() if name != "confirmed"),
        back=f"{base}/escrows/new",
    )


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


def _agent_words(agent: Mapping[str, Any], prefs: Prefs) -> str:
    pricing = agent["pricing"]
    if pricing["amount"] is None or pricing["currency"] is None:
        return str(agent["name"])
    return f"{agent['name']}, {amount(pricing['amount'], pricing['currency'], prefs)}"
