"""What the list of payments shows: tabs with counts, filters, and rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console import lists
from console.format import Amount, Moment, Prefs, amount, count, moment
from console.forms import Shown
from console.gateway import Answer
from console.lists import Asked
from console.status import Status, status_of
from console.widgets import Chip, Failed, Pager, Tab
from domain.payment.state import PaymentStatus
from domain.payment.terms import PurposeKind

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
    ("Under way", (P.PROCESSING, P.UNKNOWN, P.REQUIRES_CAPTURE)),
    ("Paid", (P.SUCCEEDED, P.PARTIALLY_REFUNDED)),
    ("Not paid", (P.FAILED, P.EXPIRED, P.CANCELLED)),
    ("Gone back", (P.REFUNDED, P.DISPUTED, P.CHARGED_BACK)),
)
PROVIDERS = {"stripe": "Card", "paypal": "PayPal", "crypto": "Coins", "credits": "Credits"}
PURPOSES: Mapping[str, str] = {
    PurposeKind.CREDITS: "Credits",
    PurposeKind.ESCROW: "An escrow",
    PurposeKind.INVOICE: "An invoice",
    PurposeKind.SLOT: "Slots",
    PurposeKind.BALANCE: "A balance",
    PurposeKind.PURCHASE: "An agent",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One payment."""

    href: str
    title: str
    at: Moment
    status: Status
    provider: str
    amount: Amount
    organization: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Payments:
    """The list. `failed` stands in its place where the API did not answer; `top_up` is empty where one may not pay."""

    title: str
    path: str
    top_up: str
    across: bool
    form: Shown
    status: str
    providers: tuple[tuple[str, str], ...]
    purposes: tuple[tuple[str, str], ...]
    tabs: tuple[Tab, ...]
    chips: tuple[Chip, ...]
    clear: str
    rows: tuple[Row, ...]
    pager: Pager
    filtered: bool
    failed: Failed | None


def page(
    asked: Asked, answer: Answer | None, summary: Answer | None, prefs: Prefs, base: str, *, across: bool, top_up: str
) -> Payments:
    """Return the list for what the API answered.

    Args:
        asked: what the address asks for.
        answer: of `GET /payments`; None where a filter is wrong.
        summary: of `GET /payments/summary`; None where a filter is wrong.
        prefs: how the reader reads.
        base: where the pages around this one begin.
        across: whether these are payments of all organizations.
        top_up: where credits are bought; empty where one may not.
    """
    body = lists.rows_of(answer)
    return Payments(
        title="Payments",
        path=asked.path,
        top_up=top_up,
        across=across,
        form=asked.form,
        status=asked.given.get("status", ""),
        providers=(("", "Any"), *PROVIDERS.items()),
        purposes=(("", "Anything"), *((str(kind), words) for kind, words in PURPOSES.items())),
        tabs=tuple(_tab(asked, summary, label, statuses, prefs) for label, statuses in TABS),
        chips=lists.chips(asked, LABELS),
        clear=asked.path,
        rows=tuple(row(each, prefs, base) for each in body["data"]),
        pager=lists.pager(asked, body),
        filtered=bool(asked.given) or not asked.at_start,
        failed=lists.silent("Payments", asked, answer),
    )


def _tab(asked: Asked, summary: Answer | None, label: str, statuses: tuple[PaymentStatus, ...], prefs: Prefs) -> Tab:
    chosen = ",".join(statuses)
    counted = ""
    if summary is not None and summary.ok:
        parts = [each for each in summary.body["by_status"] if not statuses or each["status"] in statuses]
        more = "+" if any(each["capped"] for each in parts) else ""
        counted = count(sum(each["count"] for each in parts), prefs) + more
    current = asked.given.get("status", "") == chosen
    return Tab(label=label, href=asked.address(status=chosen), count=counted, current=current)


def row(payment: Mapping[str, Any], prefs: Prefs, base: str) -> Row:
    """Return one payment of the API as a list shows it."""
    return Row(
        href=f"{base}/payments/{payment['id']}",
        title=payment["description"],
        at=moment(payment["created_at"], prefs),
        status=status_of("payment", payment["status"]),
        provider=PROVIDERS.get(payment["provider"], payment["provider"]),
        amount=amount(payment["amount"], payment["currency"], prefs),
        organization=payment["organization_id"],
    )
