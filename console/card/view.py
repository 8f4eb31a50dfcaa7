"""What the pages of cards show."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from console.format import Amount, Ident, Moment, Prefs, amount, decimal, ident, moment, money, titled
from console.forms import FormState
from console.lists import Choice, ListPage, ListResult, ListView
from console.status import STATUSES, Status, status_of
from console.widgets import Confirmation, FormPage, Link

FILTERS = ("status", "agent_id", "q")
LABELS = {"status": "Status", "agent_id": "Agent", "q": "Contains"}
_STATUSES = {status: shown.word for status, shown in STATUSES["card"].items()}
#: Why a payment was declined, in words.
_REASONS = {
    "card_inactive": "The card was not active",
    "agent_retired": "The agent is retired",
    "other_currency": "Not in the card's currency",
    "no_rate": "No recent exchange rate",
    "card_limit": "Above the limit per payment",
    "order_ended": "Its purchase is paid or ended",
    "spend_limit": "Declined by a budget or limit",
    "funds": "Not enough purchased credits",
    "organization_stopped": "The organization is suspended or closed",
    "not_taken": "Timed out",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CardRow:
    name: str
    number: str
    agent: str
    href: str
    status: Status
    limit: str
    made: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Cards(ListPage):
    """The list. `create` is empty if the reader may not, or none are issued to the organization."""

    create: str
    statuses: tuple[tuple[str, str], ...]
    rows: tuple[CardRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRow:
    """One payment of a card. `why` says why it was declined, or what was captured without being held."""

    merchant: str
    place: str
    status: Status
    at: Moment
    why: str
    asked: Amount
    captured: Amount | None
    refunded: str
    credits: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card(ListPage):
    """One card; addresses are empty for what the reader may not do, or what cannot be done now."""

    form: FormState
    status: Status
    id: Ident
    agent: str
    agent_href: str
    order: str
    facts: tuple[tuple[str, str], ...]
    made: Moment
    freeze: str
    unfreeze: str
    close: str
    number: str
    payments: tuple[PaymentRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Create(FormPage):
    """The form that issues a card; `agents` are pairs of an id and a name."""

    agents: tuple[tuple[str, str], ...]
    more_agents: bool
    currencies: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Number(FormPage):
    """The page on which Stripe shows the number: its script, the publishable key, and the card's id there."""

    ref: str
    script: str
    key: str


def page(found: ListResult, prefs: Prefs, listed: str, create: str) -> Cards:
    return Cards(
        title="Cards",
        crumbs=(Link(label="Purchases", href=f"{listed.removesuffix('/cards')}/purchases"),),
        create=create,
        listed=found.listed("Cards", LABELS, words={"status": _STATUSES}),
        statuses=(("", "Any"), *_STATUSES.items()),
        rows=tuple(_row(each, prefs, listed) for each in found.rows),
    )


def _row(card: Mapping[str, Any], prefs: Prefs, listed: str) -> CardRow:
    return CardRow(
        name=card["name"],
        number=_number(card),
        agent=card["agent_name"],
        href=f"{listed}/{card['id']}",
        status=status_of("card", card["status"]),
        limit="; ".join(f"{text} {what.removeprefix('Limit ')}" for what, text in _limits(card, prefs)),
        made=moment(card["created_at"], prefs),
    )


def _number(card: Mapping[str, Any]) -> str:
    return "" if card["last4"] is None else f"{titled(card['brand'])} ending in {card['last4']}"


def _limits(card: Mapping[str, Any], prefs: Prefs) -> list[tuple[str, str]]:
    named = (("per_authorization", "per payment"), ("per_month", "per month"))
    return [
        (f"Limit {what}", money(card[name], card["currency"], prefs)) for name, what in named if card[name] is not None
    ]


def one(
    card: Mapping[str, Any],
    payments: ListResult,
    form: FormState,
    prefs: Prefs,
    listed: str,
    *,
    may_change: bool,
    has_form: bool,
) -> Card:
    """Return one card with its payments."""
    here, status, base = f"{listed}/{card['id']}", card["status"], listed.removesuffix("/cards")
    is_there = may_change and status in {"active", "frozen"}
    expires = f"{card['exp_month']:02}/{card['exp_year']}" if card["exp_year"] else "Unknown"
    facts = [("Number", _number(card) or "Not created yet"), ("Expires", expires), ("Currency", card["currency"])]
    if card["categories"]:
        facts.append(("Merchants", ", ".join(each.replace("_", " ") for each in card["categories"])))
    order = card["purchase_order_id"]
    return Card(
        title=card["name"],
        crumbs=(Link(label="Cards", href=listed),),
        form=form,
        status=status_of("card", status),
        id=ident(card["id"]),
        agent=card["agent_name"],
        agent_href=f"{base}/agents/{card['agent_id']}",
        order=f"{base}/purchases/{order}" if order else "",
        facts=(*facts, *_limits(card, prefs)),
        made=moment(card["created_at"], prefs),
        freeze=f"{here}/freeze" if is_there and status == "active" else "",
        unfreeze=f"{here}/unfreeze" if is_there and status == "frozen" else "",
        close=f"{here}/close" if may_change and status != "closed" else "",
        number=f"{here}/number" if is_there and has_form else "",
        listed=_without_file(payments.listed("Payments", {})),
        payments=tuple(_payment(each, prefs) for each in payments.rows),
    )


def _without_file(listed: ListView) -> ListView:
    return replace(listed, pager=replace(listed.pager, csv=""))


def _payment(payment: Mapping[str, Any], prefs: Prefs) -> PaymentRow:
    currency, merchant = payment["currency"], payment["merchant"]
    declined = [each["reason"] for each in payment["requests"] if not each["approved"]]
    beyond = sum(1 for each in payment["transactions"] if each["kind"] == "capture" and each["beyond"].strip("0."))
    why = _REASONS.get(declined[-1], "") if declined else "Captured above the authorized amount" if beyond else ""
    refunded = payment["refunded"]
    asked = sum((decimal(each["amount"]) for each in payment["requests"]), Decimal(0)) or payment["captured"]
    is_captured = payment["captured"].strip("0.") != ""
    return PaymentRow(
        merchant=merchant["name"],
        place=", ".join(each for each in (merchant["city"], merchant["country"]) if each),
        status=status_of("card_payment", payment["status"]),
        at=moment(payment["created_at"], prefs),
        why=why,
        asked=amount(str(asked), currency, prefs),
        captured=amount(payment["captured"], currency, prefs) if is_captured else None,
        refunded=f"{money(refunded, currency, prefs)} refunded" if refunded.strip("0.") else "",
        credits=money(payment["credits"], "CREDIT", prefs),
    )


def create(form: FormState, agents: Choice, listed: str) -> Create:
    return Create(
        title="Create card",
        crumbs=(Link(label="Cards", href=listed),),
        action=f"{listed}/new",
        form=form,
        agents=tuple((each["id"], each["name"]) for each in agents.rows),
        more_agents=agents.more,
        currencies=tuple((each, each) for each in ("USD", "EUR", "GBP")),
    )


def closing(card: Mapping[str, Any], form: FormState, listed: str) -> Confirmation:
    here = f"{listed}/{card['id']}"
    return Confirmation(
        title=f"Close {card['name']}?",
        back=here,
        action=f"{here}/close",
        label="Close card",
        form=form,
        effect=(
            "Every later payment is declined. This cannot be undone.",
            "Open authorizations can still be captured, and refunds still arrive.",
        ),
    )


def number(card: Mapping[str, Any], script: str, key: str, form: FormState, listed: str) -> Number:
    here = f"{listed}/{card['id']}"
    return Number(
        title="Card number",
        crumbs=(Link(label="Cards", href=listed), Link(label=card["name"], href=here)),
        form=form,
        action=f"{here}/number",
        ref=card["card_ref"] or "",
        script=script,
        key=key,
    )
