"""What the list of payments shows: tabs with counts, filters, and rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console import lists
from console.format import Amount, Moment, Prefs, amount, moment, titled
from console.gateway import Answer
from console.lists import ListPage, ListQuery, ListResult
from console.mentions import Naming, Sentence, shortened
from console.status import Status, status_of
from console.widgets import Tab
from domain.payments.payment.state import PaymentStatus
from domain.payments.payment.terms import PurposeKind

FILTERS = ("q", "status", "provider", "purpose", "currency", "min_amount", "max_amount", "organization_id")
LABELS = {
    "q": "Text",
    "provider": "Provider",
    "purpose": "For",
    "currency": "Currency",
    "min_amount": "At least",
    "max_amount": "At most",
    "organization_id": "Organization",
    "from": "From",
    "to": "To",
}
P = PaymentStatus
TABS: tuple[tuple[str, tuple[PaymentStatus, ...]], ...] = (
    ("All", ()),
    ("Waiting for the payer", (P.CREATED, P.REQUIRES_ACTION)),
    ("Processing", (P.PROCESSING, P.UNKNOWN, P.REQUIRES_CAPTURE)),
    ("Paid", (P.SUCCEEDED, P.PARTIALLY_REFUNDED)),
    ("Not paid", (P.FAILED, P.EXPIRED, P.CANCELLED)),
    ("Refunded", (P.REFUNDED, P.DISPUTED, P.CHARGED_BACK)),
)
#: First on the list of all organizations: payments with an unknown outcome.
UNKNOWN = ("Outcome unknown", (P.UNKNOWN,))
NO_RUNS: Mapping[str, str] = {}
PROVIDERS = {"stripe": "Card", "paypal": "PayPal", "crypto": "Coins", "credits": "Credits"}
#: Who stands behind a provider, where that says more than how one pays.
_COMPANIES = {"stripe": "Stripe"}
PURPOSES: Mapping[str, str] = {
    PurposeKind.CREDITS: "Credits",
    PurposeKind.ESCROW: "An escrow",
    PurposeKind.INVOICE: "An invoice",
    PurposeKind.SLOT: "Slots",
    PurposeKind.BALANCE: "A balance",
    PurposeKind.PURCHASE: "An agent",
}


def company(provider: str) -> str:
    return _COMPANIES.get(provider) or PROVIDERS.get(provider, provider)


def package_named(name: str) -> str:
    return titled(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One payment; `run` is empty for all but operators."""

    href: str
    title: str
    at: Moment
    status: Status
    provider: str
    amount: Amount
    organization: Sentence
    run: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payments(ListPage):
    """The list; `top_up` is empty if one may not pay."""

    top_up: str
    across: bool
    has_runs: bool
    status: str
    providers: tuple[tuple[str, str], ...]
    purposes: tuple[tuple[str, str], ...]
    rows: tuple[Row, ...]


def page(
    found: ListResult, naming: Naming, base: str, *, across: bool, top_up: str, runs: Mapping[str, str] = NO_RUNS
) -> Payments:
    """Return the list for what the API answered."""
    asked, summary, prefs = found.asked, found.extra["summary"], naming.prefs
    tabs = (UNKNOWN, *TABS) if across else TABS
    return Payments(
        title="Payments",
        listed=found.listed("Payments", LABELS),
        top_up=top_up,
        across=across,
        has_runs=any(runs.values()),
        status=asked.given.get("status", ""),
        providers=(("", "Any"), *PROVIDERS.items()),
        purposes=(("", "Anything"), *((str(kind), words) for kind, words in PURPOSES.items())),
        tabs=tuple(_tab(asked, summary, label, statuses, prefs) for label, statuses in tabs),
        rows=tuple(row(each, naming, base, runs.get(each["id"], "")) for each in found.rows),
    )


def _tab(asked: ListQuery, summary: Answer, label: str, statuses: tuple[PaymentStatus, ...], prefs: Prefs) -> Tab:
    chosen = ",".join(statuses)
    counted = lists.counted(summary, statuses, prefs)
    current = asked.given.get("status", "") == chosen
    return Tab(label=label, href=asked.address(status=chosen), count=counted, current=current)


def row(payment: Mapping[str, Any], naming: Naming, base: str, run: str = "") -> Row:
    prefs = naming.prefs
    return Row(
        href=f"{base}/payments/{payment['id']}",
        title=shortened(payment["description"], prefs, naming.names),
        at=moment(payment["created_at"], prefs),
        status=status_of("payment", payment["status"]),
        provider=PROVIDERS.get(payment["provider"], payment["provider"]),
        amount=amount(payment["amount"], payment["currency"], prefs),
        organization=naming(payment["organization_id"]),
        run=run,
    )
