"""What the page of activity shows: one row for one fact, as a customer would name it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from console.format import Amount, Moment, Prefs, amount, moment, money, titled
from console.lists import ListPage, ListResult
from console.objects import page_of
from console.transaction.view import words_of
from console.who import actor_named
from domain.payouts.activity import Category

FILTERS = ("category",)
LABELS = {"category": "About", "from": "From", "to": "To"}
CATEGORIES: Mapping[str, str] = {
    Category.PAYMENT: "Payments",
    Category.CREDITS: "Credits granted or expired",
    Category.ESCROW: "Escrows",
    Category.USE: "Uses",
    Category.MARKETPLACE: "Marketplace",
    Category.BILLING: "Plans and invoices",
    Category.EARNINGS: "Earnings and payouts",
    Category.SLOTS: "Slots",
    Category.OTHER: "Other",
}
#: What a fact is called, by the kind of its transfer; `{name}` is its object's, `{agent}` the agent that is paid.
_WORDS: Mapping[str, str] = {
    "credit.grant": "Credits granted",
    "credit.expired": "Credits expired",
    "credit_note.issued": "Credit note: {name}",
    "debt.paid": "Debt paid",
    "earnings.converted": "Earnings converted to credits",
    "earnings.recovered": "Earnings clawed back after a reversed payment",
    "earnings.waived": "Earnings waived",
    "escrow.funded": "{name}",
    "escrow.refunded": "{name}",
    "escrow.released": "{name}",
    "escrow.split": "{name}",
    "invoice.issued": "{name}",
    "invoice.uncollectible": "Invoice written off: {name}",
    "invoice.voided": "Invoice voided: {name}",
    "marketplace.refunded": "Refund of {agent}",
    "marketplace.sold": "Sale of {agent}",
    "marketplace.used": "Use of {agent}",
    "payment.dispute_opened": "Chargeback opened",
    "payment.dispute_reopened": "Chargeback reopened",
    "payment.dispute_won": "Chargeback won",
    "payment.dispute_reinstated": "Chargeback reversed",
    "payment.refund_failed": "Refund failed",
    "payout.paid": "Payout sent",
    "payout.requested": "Payout requested",
    "payout.returned": "Payout returned",
    "payout.reversed": "Payout reversed",
    "slots.returned": "Slots returned",
    "slots.taken": "Slots put to use",
    "subscription.granted": "Credits of the {name} plan",
    "subscription.returned": "Credits of the {name} plan returned",
    "subscription.restored": "Credits of the {name} plan restored",
    "use": "Use of {name}",
    "use_refund": "Refund of a use of {name}",
}
#: What was received, by what the payment is for.
_RECEIVED = {
    "credits": "Top-up",
    "escrow": "Payment into escrow",
    "invoice": "Invoice paid",
    "slot": "Slots bought",
    "balance": "Money added",
    "purchase": "Agent paid",
}
#: What stands beside an amount, for money that did not simply come or go; by the kind of the transfer.
_NOTES = {
    "escrow.funded": "in escrow",
    "escrow.refunded": "returned",
    "escrow.released": "released",
    "escrow.split": "split",
    "payment.dispute_opened": "disputed",
}
#: The parts of a change in the order in which one stands for the fact, and what is said of each but the first.
_PARTS = (
    ("available", ""),
    ("earnings", "earned"),
    ("invoiced", "invoiced"),
    ("owed", "debt"),
    ("in_escrow", "from escrow"),
    ("in_payouts", "payout"),
    ("in_use", "in use"),
    ("in_payments", "payment"),
)
#: More of one of these counts against the organization.
_AGAINST = frozenset({"invoiced", "owed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    amount: Amount
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FactRow:
    """One fact. `href` is the page of its object, or of its transfer where that has none; `about` may be empty.

    `entries` is the page of its transfer, and empty where `href` is.
    """

    href: str
    title: str
    about: str
    by: str
    at: Moment
    moved: tuple[Moved, ...]
    entries: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity(ListPage):
    """The list; `entries` is where the ledger's entries are listed."""

    categories: tuple[tuple[str, str], ...]
    entries: str
    rows: tuple[FactRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    base: str
    org_id: str
    has_page: Callable[[str], bool]
    is_platform: bool

    def of(self, shown: Mapping[str, Any] | None) -> str:
        """Return the page of an object of the API; empty if it has none."""
        if shown is None:
            return ""
        kind, id = shown["type"], shown["id"]
        return page_of(kind, id, self.org_id, is_platform=self.is_platform, exists=self.has_page)


def page(found: ListResult, pages: Pages, prefs: Prefs) -> Activity:
    listed = found.listed("Activity", LABELS)
    chips = tuple(replace(chip, value=CATEGORIES.get(chip.value, chip.value)) for chip in listed.chips)
    return Activity(
        title="Activity",
        listed=replace(listed, chips=chips),
        categories=(("", "Everything"), *((str(category), words) for category, words in CATEGORIES.items())),
        entries=f"{found.asked.path}?show=entries",
        rows=tuple(row(each, pages, prefs) for each in found.rows),
    )


def row(fact: Mapping[str, Any], pages: Pages, prefs: Prefs) -> FactRow:
    transfer, about = f"{pages.base}/transactions/{fact['id']}", pages.of(fact["object"])
    return FactRow(
        href=about or transfer,
        title=_title(fact),
        about=_about(fact, prefs),
        # An agent that spent has not caused the refund, which is nobody's of the organization.
        by=actor_named(fact["agent_name"] or fact["principal"]) if fact["principal"] else "",
        at=moment(fact["effective_at"], prefs),
        moved=_moved(fact, prefs),
        entries=transfer if about else "",
    )


def _title(fact: Mapping[str, Any]) -> str:
    kind, shown, agent = fact["kind"], fact["object"] or {}, fact["payee_agent_name"] or "an agent"
    name = shown.get("name") or ""
    if kind == "use" and fact["category"] == Category.MARKETPLACE:
        return f"Purchase of {agent}"
    if kind in {"use", "use_refund"} and fact["payee_agent_id"]:
        return f"{'Use' if kind == 'use' else 'Refund of a use'} of {agent}"
    if kind == "payment.agent_bought":
        return f"Sale of {agent}" if fact["payee_agent_name"] else "Agent bought"
    if kind == "payment.received":
        return _RECEIVED.get(name, "Payment")
    if kind == "credit.grant" and name == "signup":
        return "Signup bonus"
    if shown.get("type") == "subscription":
        name = titled(name)
    words = _WORDS.get(kind, words_of(kind))
    return words.format(name=name, agent=agent) if name or "{name}" not in words else words_of(kind)


def _about(fact: Mapping[str, Any], prefs: Prefs) -> str:
    """Return what a title leaves out: what a payment was over, what was used of an agent, who worked."""
    shown = fact["object"] or {}
    match shown.get("type"):
        case "payment" if shown["amount"] is not None:
            return money(shown["amount"], shown["currency"], prefs)
        case "spend" | "reservation" if fact["payee_agent_id"]:
            return shown["name"] or ""
        case "escrow":
            return fact["payee_agent_name"] or ""
        case _:
            return ""


def _moved(fact: Mapping[str, Any], prefs: Prefs) -> tuple[Moved, ...]:
    """Return of each currency the change that stands for the fact; what only passed through is none."""
    found = []
    for change in fact["changes"]:
        for part, note in _PARTS:
            value = Decimal(change[part])
            if value:
                # What is paid into escrow has left the payer, also where a payment passes it on.
                is_against = part in _AGAINST or (part == "in_escrow" and fact["kind"] == "escrow.funded")
                shown = f"{-value if is_against else value:f}"
                written = amount(shown, change["currency"], prefs, signed=True)
                known = _NOTES.get(fact["kind"], note) if part in {"available", "in_escrow"} else note
                found.append(Moved(amount=written, note=known))
                break
    return tuple(found)
