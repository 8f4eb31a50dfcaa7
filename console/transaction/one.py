"""What the page of one transfer shows: its entries that the reader may see, and what it was for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from console.format import Amount, Ident, Moment, account, amount, ident, moment, short_id
from console.mentions import Naming, Sentence
from console.objects import page_of
from console.transaction.view import reference_of, words_of
from console.widgets import Link, Page

#: What operators have pages of for all organizations together.
_OF_ALL = frozenset({"escrow", "invoice", "payment"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One side of the transfer; `whose_href` is empty where its owner has no page for the reader."""

    account: Ident
    whose: str
    whose_href: str
    amount: Amount
    balance: Amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer(Page):
    """One transfer. `cause_href` is empty if what it was for has no page."""

    id: Ident
    kind: str
    reference: Sentence
    cause_type: str
    cause: Ident | None
    cause_href: str
    effective: Moment
    recorded: Moment
    entries: tuple[Entry, ...]


def page(
    transfer: Mapping[str, Any],
    naming: Naming,
    base: str,
    org_id: str,
    has_page: Callable[[str], bool],
    *,
    is_platform: bool = False,
) -> Transfer:
    cause, prefs = transfer["cause"], naming.prefs
    is_buyer = any(entry["account"].startswith(f"org/{org_id}/") for entry in transfer["entries"])
    return Transfer(
        title=words_of(transfer["kind"]),
        crumbs=(Link(label="Activity", href=f"{base}/transactions"),),
        id=ident(transfer["id"]),
        kind=words_of(transfer["kind"]),
        # It stands there already, as what the transfer was for.
        reference=reference_of(
            None if cause and transfer["reference"] == cause["id"] else transfer["reference"],
            naming,
            is_buyer=is_buyer,
        ),
        cause_type=words_of(cause["type"]) if cause else "",
        cause=Ident(cause["id"], naming.names.get(cause["id"], short_id(cause["id"]))) if cause else None,
        cause_href=_cause(transfer, org_id, has_page, is_platform=is_platform) if cause else "",
        effective=moment(transfer["effective_at"], prefs),
        recorded=moment(transfer["recorded_at"], prefs),
        entries=tuple(_entry(each, naming, org_id, is_platform=is_platform) for each in transfer["entries"]),
    )


def _cause(transfer: Mapping[str, Any], org_id: str, has_page: Callable[[str], bool], *, is_platform: bool) -> str:
    cause = transfer["cause"]
    if is_platform:
        return _for_operators(transfer, org_id, has_page)
    # Who sells sees a transfer of the purchase or of its payment too; only the buyer has these.
    is_buyer = any(entry["account"].startswith(f"org/{org_id}/") for entry in transfer["entries"])
    if cause["type"] in {"purchase", "payment"} and not is_buyer:
        return ""
    return page_of(cause["type"], cause["id"], org_id, is_platform=False, exists=has_page)


def _for_operators(transfer: Mapping[str, Any], org_id: str, has_page: Callable[[str], bool]) -> str:
    kind, id = transfer["cause"]["type"], transfer["cause"]["id"]
    if kind in _OF_ALL:
        return f"/console/platform/{kind}s/{id}"
    if kind in {"purchase", "reservation", "spend"}:
        paths = (entry["account"].split("/") for entry in transfer["entries"])
        buyer = next((path[1] for path in paths if path[0] == "org"), None)
        return page_of(kind, id, buyer, is_platform=True, exists=has_page) or f"/console/search?q={id}"
    return page_of(kind, id, org_id, is_platform=True, exists=has_page)


def _whose(owner: str | None, org_id: str, naming: Naming) -> str:
    if owner is None:
        return "The platform"
    return "This organization" if owner == org_id else naming.names.get(owner, short_id(owner))


def _entry(entry: Mapping[str, Any], naming: Naming, org_id: str, *, is_platform: bool) -> Entry:
    owner, prefs = entry["organization_id"], naming.prefs
    return Entry(
        account=account(entry["account"], naming.names),
        whose=_whose(owner, org_id, naming),
        whose_href=f"/console/platform/organizations/{owner}" if is_platform and owner else "",
        amount=amount(entry["amount"], entry["currency"], prefs, signed=True),
        balance=amount(entry["balance_after"], entry["currency"], prefs),
    )
