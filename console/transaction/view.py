"""What the pages of movements show."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console import lists
from console.format import Amount, Ident, Moment, Prefs, amount, ident, moment
from console.forms import Shown
from console.gateway import Answer
from console.lists import Asked
from console.widgets import Chip, Failed, Pager

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
    account: str
    reference: str
    amount: Amount
    balance: Amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Transactions:
    """The list. `failed` stands in its place where the API did not answer."""

    title: str
    path: str
    form: Shown
    chips: tuple[Chip, ...]
    clear: str
    rows: tuple[Row, ...]
    pager: Pager
    filtered: bool
    failed: Failed | None = None


def page(asked: Asked, answer: Answer | None, prefs: Prefs, href: str) -> Transactions:
    """Return the list for what the API answered.

    Args:
        asked: what the address asks for.
        answer: of `GET /billing/transactions`; None where it was not asked because a filter is wrong.
        prefs: how the reader reads.
        href: the address of a transfer's page with `{id}` in it; empty where there is none.
    """
    whole = answer is not None and answer.ok
    body: Mapping[str, Any] = answer.body if answer is not None and whole else {"data": (), "next_cursor": None}
    silent = answer is not None and answer.problem is not None and answer.status >= 500
    return Transactions(
        title="Transactions",
        path=asked.path,
        form=asked.form,
        chips=lists.chips(asked, LABELS),
        clear=asked.path,
        rows=tuple(row(each, prefs, href) for each in body["data"]),
        pager=lists.pager(asked, body),
        filtered=bool(asked.given) or not asked.at_start,
        failed=lists.failed("Transactions", asked, answer) if answer is not None and silent else None,
    )


def row(movement: Mapping[str, Any], prefs: Prefs, href: str) -> Row:
    """Return one movement of the API as it is shown."""
    return Row(
        id=ident(movement["id"]),
        href=href.replace("{id}", movement["id"]),
        kind=words_of(movement["kind"]),
        at=moment(movement["effective_at"], prefs),
        account=movement["account"],
        reference=movement["reference"] or "",
        amount=amount(movement["amount"], movement["currency"], prefs, signed=True),
        balance=amount(movement["balance_after"], movement["currency"], prefs),
    )


def words_of(kind: str) -> str:
    """Write a kind of movement, such as `escrow.release`, in words."""
    return kind.replace(".", ": ").replace("_", " ").capitalize()
