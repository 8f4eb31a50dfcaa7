"""Tasks and alerts of the reader, as home and the platform's overview show them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from console.format import Amount, Moment, amount, moment, titled
from console.mentions import Naming, Sentence
from console.status import Status, status_of
from console.texts import N_, gettext
from domain.messages.texts import title_of

#: By the kind of a task: what is to be done, and the noun whose page it is done on.
ACTS: Mapping[str, tuple[str, str]] = {
    "to_accept": (N_("Accept terms"), "contracts"),
    "to_fund": (N_("Fund"), "escrows"),
    "to_deliver": (N_("Deliver"), "escrows"),
    "to_sign": (N_("Sign delivery"), "escrows"),
    "to_score": (N_("Score delivery"), "escrows"),
    "to_decide": (N_("Decide"), "escrows"),
    "to_approve": (N_("Approve purchase"), "purchases"),
    "allocation": (N_("Accept daily budgets"), "allocations"),
    "to_confirm": (N_("Confirm revenue"), "returns/revenue"),
    "evidence_due": (N_("Send evidence"), "disputes"),
    "invoice_due": (N_("Pay"), "invoices"),
    "difference": (N_("Resolve discrepancy"), "reconciliation/differences"),
    "alert": (N_("Review alert"), "alerts"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Something that waits for the reader; `href` is empty if it has no page."""

    act: str
    title: Sentence
    href: str
    until: Moment | None
    amount: Amount | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    at: Moment
    title: str
    kind: str
    detail: Sentence
    severity: Status


def task(
    body: Mapping[str, Any],
    base: str,
    naming: Naming,
    *,
    has: Callable[[str], bool],
    alerts: str,
) -> Task:
    """Return a task of `GET /tasks`."""
    act, noun = ACTS.get(body["kind"], (titled(body["kind"]), ""))
    # Of a chargeback the API says the bank's reason, such as `product_not_received`.
    title = titled(body["title"]) if body["kind"] == "evidence_due" else body["title"]
    own = f"{base}/{noun}/{body['object_id']}" if has(f"{noun}/{{id}}") else ""
    return Task(
        act=gettext(act),
        title=naming(title, body["organization_id"]),
        href=alerts if noun == "alerts" and alerts else own,
        until=moment(body["deadline_at"], naming.prefs) if body["deadline_at"] else None,
        amount=amount(body["amount"], body["currency"], naming.prefs) if body["amount"] else None,
    )


def alert(body: Mapping[str, Any], naming: Naming) -> Alert:
    return Alert(
        at=moment(body["created_at"], naming.prefs),
        title=title_of(body["kind"]),
        kind=body["kind"],
        detail=replace(naming, names=body["names"])(body["detail"], body["organization_id"]),
        severity=status_of("severity", body["severity"]),
    )
