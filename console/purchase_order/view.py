"""What the pages of purchases show."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.format import Amount, Ident, Moment, Prefs, amount, ident, moment, money
from console.forms import Shown
from console.lists import Found, Listed
from console.mentions import Naming, Sentence
from console.sections import unanswered
from console.status import STATUSES, Status, status_of
from console.widgets import Failed, Link

FILTERS = ("status", "q")
LABELS = {"status": "Status", "q": "Contains"}
_WORDS = {status: shown.word for status, shown in STATUSES["order"].items()}
_TERMS = {"month": "a month", "quarter": "a quarter", "year": "a year"}
_WINDOWS = {
    "hour": "this hour",
    "day": "today",
    "week": "this week",
    "month": "this month",
    "quarter": "this quarter",
    "lifetime": "good",
}
_WHY_NOT = {"not_connected": "Not connected", "not_in_policy": "Not in the policy"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseRow:
    """One purchase in a list. `term` is empty for one that does not renew."""

    item: str
    vendor: str
    agent: str
    href: str
    status: Status
    amount: Amount
    term: str
    at: Moment
    until: Moment | None
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchases:
    """What waits for an approval, and the list."""

    title: str
    listed: Listed
    statuses: tuple[tuple[str, str], ...]
    waiting: tuple[PurchaseRow, ...]
    waiting_failed: Failed | None
    rows: tuple[PurchaseRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """Something else that the agent has looked at; `cost` is empty if it does not know it."""

    name: str
    cost: str
    fits: bool
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try to pay."""

    method: str
    status: Status
    at: Moment
    amount: str
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What one person has decided."""

    by: str
    word: str
    at: Moment
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A way to pay. `why_not` is empty if it can be used."""

    label: str
    why_not: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """One purchase.

    Attributes:
        own: the reader has proposed it, so somebody else approves it.
        grant: where it is approved; empty if the reader may not, or nothing waits.
        budget_id: the budget that refuses; empty if none does.
        lift: what the box says that lifts the window that refuses; empty if none does.
        facts: further facts that are amounts or words: label and text.
    """

    title: str
    crumbs: tuple[Link, ...]
    form: Shown
    row: PurchaseRow
    id: Ident
    sentence: Sentence
    why: str
    category: str
    by: str
    facts: tuple[tuple[str, str], ...]
    times: tuple[tuple[str, Moment], ...]
    persons: str
    grant: str
    refuse: str
    digest: str
    budget_id: str
    window: str
    lift: str
    alternatives: tuple[Alternative, ...]
    methods: tuple[Method, ...]
    attempts: tuple[Attempt, ...]
    decisions: tuple[Decision, ...]


def page(found: Found, prefs: Prefs, listed: str) -> Purchases:
    """Return the list; what waits stands above it, where nothing is filtered."""
    waiting = found.beside["waiting"]
    return Purchases(
        title="Purchases",
        listed=found.listed("Purchases", LABELS, words={"status": _WORDS}),
        statuses=(("", "Any"), *_WORDS.items()),
        waiting=tuple(_row(each, prefs, listed) for each in (waiting.body["data"] if waiting.ok else ())),
        waiting_failed=unanswered("Waiting for an approval", waiting, listed),
        rows=tuple(_row(each, prefs, listed) for each in found.rows),
    )


def _row(order: Mapping[str, Any], prefs: Prefs, listed: str) -> PurchaseRow:
    return PurchaseRow(
        item=order["item"],
        vendor=order["vendor"],
        agent=order["agent_name"],
        href=f"{listed}/{order['id']}",
        status=status_of("order", order["status"]),
        amount=amount(order["amount"], order["currency"], prefs),
        term=_TERMS.get(order["term"] or "", ""),
        at=moment(order["created_at"], prefs),
        until=moment(order["answer_by"], prefs) if order["answer_by"] else None,
        sentence=order["decision"]["sentence"],
    )


def one(order: Mapping[str, Any], form: Shown, naming: Naming, listed: str, *, decides: bool) -> Purchase:
    """Return a purchase.

    Args:
        order: of the API.
        form: of a command that was refused; a blank one otherwise.
        naming: how the agent is written.
        listed: the address of the list.
        decides: whether the reader may approve it.
    """
    prefs, decision = naming.prefs, order["decision"]
    row, here = _row(order, prefs, listed), f"{listed}/{order['id']}"
    waits = decides and order["status"] == "needs_approval"
    binds = decision["budget_id"] is not None and decision["window"] is not None
    times = (
        ("Proposed", "created_at"),
        ("Held until", "held_until"),
        ("Answer before", "answer_by"),
        ("Renews", "renews_at"),
    )
    granted = sum(each["granted"] for each in order["grants"])
    return Purchase(
        title=order["item"],
        crumbs=(Link(label="Purchases", href=listed),),
        form=form,
        row=row,
        id=ident(order["id"]),
        sentence=naming(decision["sentence"]),
        why=order["why"],
        category=order["category"],
        by=order["principal"],
        facts=tuple(_facts(order, prefs)),
        times=tuple((label, moment(order[name], prefs)) for label, name in times if order[name]),
        persons=f"{granted} of {order['persons']} approvals" if order["persons"] else "",
        grant=f"{here}/grant" if waits else "",
        refuse=f"{here}/refuse" if waits else "",
        digest=order["digest"],
        budget_id=decision["budget_id"] or "",
        window=decision["window"] or "",
        lift=f"Let it pass the budget's limit for {_WINDOWS[decision['window']]}" if waits and binds else "",
        alternatives=tuple(
            Alternative(
                name=each["name"],
                cost="" if each["cost"] is None else money(each["cost"], order["currency"], prefs),
                fits=each["fits"],
                why=each["why"],
            )
            for each in order["alternatives"]
        ),
        methods=tuple(
            Method(
                label=each["label"],
                why_not="" if each["available"] else _WHY_NOT.get(each["why_not"] or "", each["why_not"] or ""),
            )
            for each in order["methods"]
        ),
        attempts=tuple(
            Attempt(
                method=each["method"],
                status=status_of("attempt", each["status"]),
                at=moment(each["result_at"] or each["begun_at"], prefs),
                amount="" if each["amount"] is None else money(each["amount"], order["currency"], prefs),
                reference=each["reference"] or "",
            )
            for each in order["attempts"]
        ),
        decisions=tuple(
            Decision(
                by=each["principal"],
                word="Approved" if each["granted"] else "Refused",
                at=moment(each["at"], prefs),
                reason=each["reason"] or "",
            )
            for each in order["grants"]
        ),
    )


def _facts(order: Mapping[str, Any], prefs: Prefs) -> list[tuple[str, str]]:
    currency, found = order["currency"], list[tuple[str, str]]()
    if order["status"] in {"purchased", "cancelled"} or order["spent"].strip("0."):
        found.append(("Paid", money(order["spent"], currency, prefs)))
        found.append(("Refunded", money(order["refunded"], currency, prefs)))
    if order["alternative_action"]:
        found.append(("Instead", order["alternative_action"]))
    if order["saved"]:
        found.append(("Saved", money(order["saved"], currency, prefs)))
    if order["pool"] != "operating":
        found.append(("Taken from", f"The {order['pool']}" + (" pool" if order["pool"] == "emergency" else "")))
    return found
