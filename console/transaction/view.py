"""What the pages of movements show."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from console.format import Amount, Ident, Moment, account, amount, ident, moment
from console.lists import ListPage, ListResult
from console.mentions import Naming, Sentence
from domain.common.ids import is_id

FILTERS = ("show", "q", "kind", "account", "reference", "currency")
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
    """One movement of one account; `href` is the page of its transfer."""

    id: Ident
    href: str
    kind: str
    at: Moment
    account: Ident
    reference: Sentence
    amount: Amount
    balance: Amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Transactions(ListPage):
    """The list; `activity` is where its facts are."""

    activity: str
    rows: tuple[Row, ...]


def page(found: ListResult, naming: Naming, href: str) -> Transactions:
    """Return the list for what the API answered."""
    path = found.asked.path
    return Transactions(
        title="Ledger entries",
        activity=path,
        listed=replace(found.listed("Ledger entries", LABELS, tabbed=("show",)), clear=f"{path}?show=entries"),
        rows=tuple(row(each, naming, href) for each in found.rows),
    )


def row(movement: Mapping[str, Any], naming: Naming, href: str) -> Row:
    prefs = naming.prefs
    return Row(
        id=ident(movement["id"]),
        href=href.replace("{id}", movement["id"]),
        kind=words_of(movement["kind"]),
        at=moment(movement["effective_at"], prefs),
        account=account(movement["account"], naming.names),
        reference=reference_of(movement["reference"], naming, is_buyer=movement["account"].startswith("org/")),
        amount=amount(movement["amount"], movement["currency"], prefs, signed=True),
        balance=amount(movement["balance_after"], movement["currency"], prefs),
    )


def reference_of(reference: str | None, naming: Naming, *, is_buyer: bool) -> Sentence:
    """Return what money moved for. Who sells sees it too, but payment, purchase and use are the buyer's alone."""
    parts = naming(reference)
    return (
        parts
        if is_buyer
        else tuple(replace(part, href="") if part.id and _is_of_buyer(part.id.whole) else part for part in parts)
    )


def _is_of_buyer(id: str) -> bool:
    return any(is_id(id, kind) for kind in ("hold", "pay", "pur", "spd"))


def words_of(kind: str) -> str:
    return kind.replace(".", ": ").replace("_", " ").capitalize()
