"""What waits for the reader, and what is alerted, as home and the platform's overview show it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from console.format import Amount, Moment, Prefs, amount, moment
from console.mentions import Sentence, sentence
from console.status import Status, status_of
from domain.alert.titles import title_of

#: By the kind of a task: what is to be done, and the noun whose page it is done on.
_ACTS: Mapping[str, tuple[str, str]] = {
    "to_accept": ("Accept the terms", "contracts"),
    "to_fund": ("Fund", "escrows"),
    "to_deliver": ("Deliver", "escrows"),
    "to_sign": ("Sign the delivery", "escrows"),
    "to_score": ("Score the delivery", "escrows"),
    "to_decide": ("Decide", "escrows"),
    "evidence_due": ("Send evidence", "disputes"),
    "invoice_due": ("Pay", "invoices"),
    "difference": ("Resolve a discrepancy", "reconciliation/differences"),
    "alert": ("Look at an alert", "alerts"),
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
    """An open alert."""

    at: Moment
    title: str
    kind: str
    detail: Sentence
    severity: Status


def names_in(alerts: Sequence[Mapping[str, Any]]) -> Mapping[str, str]:
    """Return the names of what alerts of `GET /alerts` mention, by id."""
    return {id: name for each in alerts for id, name in each["names"].items()}


def task(
    body: Mapping[str, Any],
    base: str,
    prefs: Prefs,
    *,
    has: Callable[[str], bool],
    alerts: str,
    names: Mapping[str, str],
) -> Task:
    """Return a task of `GET /tasks`.

    Args:
        body: the task.
        base: where the pages begin.
        prefs: how the reader reads.
        has: tells whether a path below `base` has a page.
        alerts: where open alerts are; empty if they have no page.
        names: of what tasks may mention, by id.
    """
    act, noun = _ACTS.get(body["kind"], (body["kind"].replace("_", " ").capitalize(), ""))
    own = f"{base}/{noun}/{body['object_id']}" if has(f"{noun}/{{id}}") else ""
    return Task(
        act=act,
        title=_said(body["title"], names, prefs),
        href=alerts if noun == "alerts" and alerts else own,
        until=moment(body["deadline_at"], prefs) if body["deadline_at"] else None,
        amount=amount(body["amount"], body["currency"], prefs) if body["amount"] else None,
    )


def alert(body: Mapping[str, Any], prefs: Prefs) -> Alert:
    """Return an alert of `GET /alerts`."""
    return Alert(
        at=moment(body["created_at"], prefs),
        title=title_of(body["kind"]),
        kind=body["kind"],
        detail=_said(body["detail"], body["names"], prefs),
        severity=status_of("severity", body["severity"]),
    )


def _said(text: str, names: Mapping[str, str], prefs: Prefs) -> Sentence:
    # The page of the alert has the links.
    return sentence(text, names, prefs, lambda _: "")
