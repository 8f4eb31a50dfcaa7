"""What the page of the log of economic events shows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.format import Amount, Moment, amount, moment, titled
from console.lists import ListPage, ListResult
from console.mentions import Naming, Sentence
from console.status import Status, status_of
from domain.budgets.economics import EntryStatus, TransactionType

FILTERS = ("agent_id", "project", "transaction_type", "status")
LABELS = {
    "agent_id": "Agent",
    "project": "Project",
    "transaction_type": "Type",
    "status": "Result",
    "from": "From",
    "to": "To",
}
TYPES: Mapping[str, str] = {
    TransactionType.PURCHASE_REQUEST: "Purchase requested",
    TransactionType.PURCHASE_DECISION: "Decision on a purchase",
    TransactionType.PURCHASE_APPROVAL: "Approval of a purchase",
    TransactionType.PURCHASE_ATTEMPT: "Attempt to pay",
    TransactionType.PURCHASE_REFUND: "Refund of a purchase",
    TransactionType.PURCHASE_CONFIRMATION: "Purchase confirmed",
    TransactionType.PURCHASE_ABANDONED: "Purchase abandoned",
    TransactionType.PURCHASE_RENEWAL: "Renewal",
    TransactionType.PURCHASE_ENDED: "Purchase ended",
    TransactionType.USE: "Use of credits",
    TransactionType.USE_REFUND: "Refund of a use",
    TransactionType.ESCROW_FUNDING: "Paid into escrow",
    TransactionType.ESCROW_REFUND: "Returned from escrow",
    TransactionType.ESCROW_PAYMENT: "Earned in escrow",
    TransactionType.SALE: "Sale",
    TransactionType.SALE_REFUND: "Refund of a sale",
    TransactionType.PAYOUT: "Payout",
    TransactionType.PAYOUT_REVERSAL: "Payout reversed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One entry. `href` is the page of what it is about, or empty; `left` says what is left of budgets."""

    item: str
    what: str
    href: str
    agent: Sentence
    project: Sentence
    amount: Amount
    status: Status
    instead: str
    left: tuple[str, ...]
    at: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Log(ListPage):
    """The list. `goes_on` says that none was found in what was looked through, and that there is more."""

    types: tuple[tuple[str, str], ...]
    results: tuple[tuple[str, str], ...]
    rows: tuple[Row, ...]
    goes_on: bool


def page(found: ListResult, naming: Naming) -> Log:
    results = {str(each): status_of("entry", each).word for each in EntryStatus}
    listed = found.listed("Agent log", LABELS, words={"transaction_type": TYPES, "status": results})
    rows = tuple(_row(each, naming) for each in found.rows)
    return Log(
        title="Agent log",
        listed=listed,
        types=(("", "Everything"), *((str(name), words) for name, words in TYPES.items())),
        results=(("", "Any"), *results.items()),
        rows=rows,
        goes_on=not rows and bool(listed.pager.next),
    )


def _row(entry: Mapping[str, Any], naming: Naming) -> Row:
    kind, left = entry["transaction_type"], entry["budget_remaining"]
    words = TYPES.get(kind, titled(kind))
    shown = (("Today", left["daily"]), ("Project", left["project"]))
    return Row(
        # What has no name of its own is called by its type.
        item=words if entry["item"] == kind else entry["item"],
        what="" if entry["item"] == kind else words,
        href=next((part.href for part in naming(entry["object_id"]) if part.href), ""),
        agent=naming(entry["agent_id"]),
        project=naming(entry["project_id"]),
        amount=amount(entry["amount"]["value"], entry["amount"]["currency"], naming.prefs),
        status=status_of("entry", entry["status"]),
        instead=f"Alternative: {titled(entry['alternative_action'])}" if entry["alternative_action"] else "",
        left=tuple(f"{where}: {value}" for where, value in shown if value is not None),
        at=moment(entry["timestamp"], naming.prefs),
    )
