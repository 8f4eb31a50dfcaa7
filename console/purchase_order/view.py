"""What the pages of purchases show."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from console.format import Amount, Ident, Moment, Prefs, amount, ident, joined, moment, money
from console.forms import FormState, written
from console.gateway import Answer
from console.lists import ListPage, ListResult
from console.mentions import Naming, Sentence
from console.sections import unanswered
from console.spend_control.subjects import KINDS
from console.status import STATUSES, Status, status_of
from console.widgets import Failed, FormPage, Link
from domain.common.ids import is_id

FILTERS = ("status", "agent_id", "q")
LABELS = {"status": "Status", "agent_id": "Agent", "q": "Contains"}
_WORDS = {status: shown.word for status, shown in STATUSES["order"].items()}
_TERMS = {"month": "a month", "quarter": "a quarter", "year": "a year"}
_WINDOWS = {
    "hour": "this hour",
    "day": "today",
    "week": "this week",
    "month": "this month",
    "quarter": "this quarter",
    "lifetime": "in all",
}
#: So many windows a grant lifts at most.
_LIFTS = 10
_USE = {
    "not_connected": "Paid externally and reported",
    "not_in_policy": "Not allowed by the policy",
    "insufficient_credits": "Not enough purchased credits",
}


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
    sentence: Sentence
    reported: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchases(ListPage):
    """Orders to approve or to confirm, and the list; `policies` is empty for a reader without access to policies."""

    policies: str
    cards: str
    statuses: tuple[tuple[str, str], ...]
    waiting: tuple[PurchaseRow, ...]
    waiting_failed: Failed | None
    reported: tuple[PurchaseRow, ...]
    reported_failed: Failed | None
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
    method: str
    status: Status
    at: Moment
    amount: str
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    by: str
    word: str
    at: Moment
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    label: str
    use: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase(FormPage):
    """One purchase.

    Attributes:
        grant: where it is approved; empty if the reader may not, or nothing waits.
        reserve: whether a budget is above the agent, whose reserve it can be taken from.
        refusing: the windows of budgets that refuse it, as the form sends them.
        lift: what the box says that lifts them; empty if none refuses.
        agent: whose purchase it is. `budget` and `budget_name` are of the budget that decided, empty if none did.
        confirm: where what was charged is confirmed or corrected; empty if the reader may not, or nothing can be.
        is_reported: whether something that was reported waits to be confirmed.
        cancel: where a purchase is cancelled that an agent says does not renew; empty otherwise.
        charged, refunded: what was reported, for the form; `reported_digest` is of that.
        facts: further facts that are amounts or words: label and text.
    """

    row: PurchaseRow
    id: Ident
    agent: Sentence
    budget: str
    budget_name: str
    log: str
    why: str
    category: str
    by: str
    facts: tuple[tuple[str, str], ...]
    times: tuple[tuple[str, Moment], ...]
    persons: str
    grant: str
    refuse: str
    digest: str
    reserve: bool
    refusing: str
    lift: str
    confirm: str
    is_reported: bool
    cancel: str
    charged: str
    refunded: str
    reported_digest: str
    currency: str
    alternatives: tuple[Alternative, ...]
    methods: tuple[Method, ...]
    attempts: tuple[Attempt, ...]
    decisions: tuple[Decision, ...]


def page(found: ListResult, naming: Naming, listed: str, policies: str) -> Purchases:
    """Return the list; what waits stands above it, where nothing is filtered."""
    waiting, reported = found.extra["waiting"], found.extra["reported"]
    return Purchases(
        title="Purchases",
        policies=policies,
        cards=f"{listed.removesuffix('/purchases')}/cards",
        listed=found.listed("Purchases", LABELS, words={"status": _WORDS}),
        statuses=(("", "Any"), *_WORDS.items()),
        waiting=tuple(_row(each, naming, listed) for each in (waiting.body["data"] if waiting.ok else ())),
        waiting_failed=unanswered("Waiting for approval", waiting, listed),
        reported=tuple(_row(each, naming, listed) for each in (reported.body["data"] if reported.ok else ())),
        reported_failed=unanswered("Reported, not confirmed", reported, listed),
        rows=tuple(_row(each, naming, listed) for each in found.rows),
    )


def _row(order: Mapping[str, Any], naming: Naming, listed: str) -> PurchaseRow:
    prefs = naming.prefs
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
        sentence=naming(order["decision"]["sentence"]),
        reported=_reported(order, prefs),
    )


def refusing(order: Mapping[str, Any], form: FormState) -> tuple[str, ...]:
    """Return the windows of budgets that refuse a purchase, each `budget:window`: at first, and those found since."""
    decision = order["decision"]
    first = [f"{decision['budget_id']}:{decision['window']}"] if decision["budget_id"] and decision["window"] else []
    since = (each for each in form.value("refusing").split() if is_id(each.partition(":")[0], "ctl"))
    return tuple(dict.fromkeys((*first, *since)))[:_LIFTS]


def _lifted(each: str, budget: Mapping[str, Any], prefs: Prefs) -> str:
    """Say what is left in a window of a budget; nothing if it has no such window."""
    window = next((found for found in budget["limits"] if found["window"] == each.partition(":")[2]), None)
    if window is None:
        return ""
    of, currency = window["operating"], budget["currency"]
    left, most = money(of["remaining"], currency, prefs), money(of["amount"], currency, prefs)
    whose = budget["subject"]["name"] or KINDS[budget["subject"]["type"]].lower()
    return f"{left} of {most} left {_WINDOWS[window['window']]} for {whose}"


def one(
    order: Mapping[str, Any],
    form: FormState,
    naming: Naming,
    listed: str,
    budgets: Mapping[str, Answer],
    *,
    waits: bool,
    confirms: bool,
) -> Purchase:
    """Return a purchase."""
    prefs, decision = naming.prefs, order["decision"]
    row, here, base = _row(order, naming, listed), f"{listed}/{order['id']}", listed.removesuffix("/purchases")
    agent, budget = order["agent_id"], decision["budget_id"] or ""
    # A limit that refuses is no budget, and cannot be lifted.
    found = {each: _lifted(each, answer.body, prefs) for each, answer in budgets.items() if answer.ok}
    lifted = {each: text for each, text in found.items() if text}
    labels = {each["method"]: each["label"] for each in order["methods"]}
    times = (
        ("Proposed", "created_at"),
        ("Held until", "held_until"),
        ("Decide by", "answer_by"),
        ("Renews", "renews_at"),
    )
    reported, is_reported = order["reported"], order["unconfirmed_since"] is not None
    granted = sum(each["granted"] for each in order["grants"])
    return Purchase(
        title=order["item"],
        crumbs=(Link(label="Purchases", href=listed),),
        form=form,
        row=row,
        id=ident(order["id"]),
        agent=replace(naming, names={agent: order["agent_name"]})(agent),
        budget=f"{base}/budgets/{budget}" if budget else "",
        budget_name=naming.names.get(budget, "View budget"),
        log=f"{base}/economics?agent_id={agent}",
        why=order["why"],
        category=order["category"],
        by=order["principal"],
        facts=tuple(_facts(order, prefs)),
        times=tuple((label, moment(order[name], prefs)) for label, name in times if order[name]),
        persons=f"{granted} of {order['persons']} approvals" if order["persons"] else "",
        grant=f"{here}/grant" if waits else "",
        refuse=f"{here}/refuse" if waits else "",
        digest=order["digest"],
        reserve=waits and bool(budget or order["budget_remaining"] or lifted),
        refusing=" ".join(lifted),
        lift=f"Exceed the budget: {joined(tuple(lifted.values()))}" if lifted else "",
        confirm=f"{here}/confirm" if confirms and (is_reported or order["spent"].strip("0.")) else "",
        is_reported=is_reported,
        cancel=f"{here}/cancel" if order["cancellation_reported_at"] else "",
        charged=written(reported["charged"]),
        refunded=written(reported["refunded"]),
        reported_digest=reported["digest"],
        currency=order["currency"],
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
                use="Connected" if each["available"] else _USE.get(each["why_not"] or "", each["why_not"] or ""),
            )
            for each in order["methods"]
        ),
        attempts=tuple(
            Attempt(
                method=labels.get(each["method"], each["method"]),
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


def _reported(order: Mapping[str, Any], prefs: Prefs) -> str:
    charged, refunded = (money(order["reported"][name], order["currency"], prefs) for name in ("charged", "refunded"))
    return f"{charged} charged, {refunded} refunded"


def _facts(order: Mapping[str, Any], prefs: Prefs) -> list[tuple[str, str]]:
    currency, found = order["currency"], list[tuple[str, str]]()
    paid, refunded = (money(order[name], currency, prefs) for name in ("spent", "refunded"))
    is_paid = order["status"] in {"purchased", "cancelled"} or bool(order["spent"].strip("0."))
    if order["unconfirmed_since"]:
        # An agent's word is not shown as what was paid, nor is what budgets count instead.
        found += [("Counted by budgets", f"{paid} charged, {refunded} refunded")] if is_paid else []
        found.append(("As reported", _reported(order, prefs)))
    elif is_paid:
        found += [("Paid", paid), ("Refunded", refunded)]
    if order["alternative_action"]:
        found.append(("Alternative", order["alternative_action"]))
    if order["saved"]:
        found.append(("Saved", money(order["saved"], currency, prefs)))
    if order["pool"] != "operating":
        found.append(("Charged to", f"The {order['pool']}" + (" pool" if order["pool"] == "emergency" else "")))
    return found
