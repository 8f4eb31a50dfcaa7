"""What the pages of movements show."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.format import Amount, Ident, Moment, Prefs, account, amount, ident, moment
from console.lists import Found, Listed

FILTERS = ("q", "kind", "account", "reference", "currency")
LABELS = {
    "q": "Text",
    "kind": "Kind",
    "account": "Account",
    "reference": "Reference",
    "currency": "Currency",
    "from": "From",
    "to": "To",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One movement of one account. `href` is empty until a transfer has its page."""

    id: Ident
    href: str
    kind: str
    at: Moment
    account: Ident
    reference: Ident | None
    amount: Amount
    balance: Amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Transactions:
    """The list."""

    title: str
    listed: Listed
    rows: tuple[Row, ...]


def page(found: Found, prefs: Prefs, href: str) -> Transactions:
    """Return the list for what the API answered.

    Args:
        found: of `GET /billing/transactions`.
        prefs: how the reader reads.
        href: the address of a transfer's page with `{id}` in it; empty if there is none.
    """
    return Transactions(
        title="Transactions",
        listed=found.listed("Transactions", LABELS),
        rows=tuple(row(each, prefs, href) for each in found.rows),
    )


def row(movement: Mapping[str, Any], prefs: Prefs, href: str) -> Row:
    """Return one movement of the API as it is shown."""
    return Row(
        id=ident(movement["id"]),
        href=href.replace("{id}", movement["id"]),
        kind=words_of(movement["kind"]),
        at=moment(movement["effective_at"], prefs),
        account=account(movement["account"]),
        reference=ident(movement["reference"]) if movement["reference"] else None,
        amount=amount(movement["amount"], movement["currency"], prefs, signed=True),
        balance=amount(movement["balance_after"], movement["currency"], prefs),
    )


def words_of(kind: str) -> str:
    """Write a kind of movement, such as `escrow.release`, in words."""
    return kind.replace(".", ": ").replace("_", " ").capitalize()
