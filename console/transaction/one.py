"""What the page of one transfer shows: its entries that the reader may see, and what it was for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from console.format import Amount, Ident, Moment, Prefs, amount, ident, moment
from console.transaction.view import words_of
from console.widgets import Link

#: Where the object that a transfer was for has its page, by its type.
PAGES = {
    "escrow": "escrows",
    "payment": "payments",
    "invoice": "invoices",
    "agent": "agents",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One side of the transfer."""

    account: str
    whose: str
    amount: Amount
    balance: Amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """One transfer. `cause_href` is empty where what it was for has no page."""

    title: str
    crumbs: tuple[Link, ...]
    id: Ident
    kind: str
    reference: str
    cause_type: str
    cause: Ident | None
    cause_href: str
    effective: Moment
    recorded: Moment
    entries: tuple[Entry, ...]


def page(
    transfer: Mapping[str, Any], prefs: Prefs, base: str, org_id: str, has_page: Callable[[str], bool]
) -> Transfer:
    """Return the page.

    Args:
        transfer: of `GET /ledger/transfers/{id}`.
        prefs: how the reader reads.
        base: where the pages of the organization begin.
        org_id: the organization.
        has_page: tells whether a path of the console has a page.
    """
    cause = transfer["cause"]
    noun = PAGES.get(cause["type"], "") if cause else ""
    linked = bool(noun) and has_page(f"{base}/{noun}/{{id}}")
    return Transfer(
        title=words_of(transfer["kind"]),
        crumbs=(Link(label="Transactions", href=f"{base}/transactions"),),
        id=ident(transfer["id"]),
        kind=words_of(transfer["kind"]),
        reference=transfer["reference"] or "",
        cause_type=words_of(cause["type"]) if cause else "",
        cause=ident(cause["id"]) if cause else None,
        cause_href=f"{base}/{noun}/{cause['id']}" if linked else "",
        effective=moment(transfer["effective_at"], prefs),
        recorded=moment(transfer["recorded_at"], prefs),
        entries=tuple(_entry(each, prefs, org_id) for each in transfer["entries"]),
    )


def _entry(entry: Mapping[str, Any], prefs: Prefs, org_id: str) -> Entry:
    owner = entry["organization_id"]
    return Entry(
        account=entry["account"],
        whose="The platform" if owner is None else "This organization" if owner == org_id else owner,
        amount=amount(entry["amount"], entry["currency"], prefs, signed=True),
        balance=amount(entry["balance_after"], entry["currency"], prefs),
    )
