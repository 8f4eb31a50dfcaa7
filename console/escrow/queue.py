"""Queues of escrows that wait for an arbiter or a validator, the most urgent first."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from console.format import Amount, Moment, Prefs, amount, local_time, moment, percent, relative
from console.gateway import Answer
from console.problems import answered
from console.texts import N_, _, gettext, ngettext
from console.widgets import Failed, Page


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRow:
    """One escrow. `said` is what is known of it: the score so far, or how much evidence there is."""

    href: str
    title: str
    payer: str
    payee: str
    amount: Amount
    said: str
    until: Moment
    left: str
    overdue: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue(Page):
    """A queue. `more` says that there are escrows beyond those that are shown."""

    lead: str
    said: str
    nothing: str
    rows: tuple[QueueRow, ...]
    more: bool
    failed: Failed | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Kind of a queue.

    Attributes:
        status: of its escrows.
        title: of the page.
        lead: below it.
        said: the heading of what is known of each.
        nothing: what is said where nothing waits.
    """

    status: str
    title: str
    lead: str
    said: str
    nothing: str


DECISIONS = Kind(
    status="disputed",
    title=N_("Decisions"),
    lead=N_("Disputes that an arbiter has to decide, the most urgent first."),
    said=N_("Evidence"),
    nothing=N_("No open disputes."),
)
DELIVERIES = Kind(
    status="delivered",
    title=N_("Deliveries"),
    lead=N_("Work under review, the most urgent first. A score at the threshold releases its money."),
    said=N_("Score"),
    nothing=N_("No delivery is under review."),
)


def page(kind: Kind, answer: Answer, prefs: Prefs, now: datetime, path: str, base: str) -> Queue:
    """Return a queue."""
    whole = answered(answer)
    listed = sorted(answer.body["data"], key=_due) if whole else ()
    return Queue(
        title=gettext(kind.title),
        lead=gettext(kind.lead),
        said=gettext(kind.said),
        nothing=gettext(kind.nothing),
        rows=tuple(_row(each, prefs, now, base) for each in listed),
        more=whole and answer.body["next_cursor"] is not None,
        failed=None if whole else Failed(title=gettext(kind.title), request_id=answer.request_id, again=path),
    )


def _due(escrow: Mapping[str, Any]) -> datetime:
    dispute = escrow["dispute"]
    at = dispute["decide_by"] if escrow["status"] == "disputed" else escrow["deadlines"]["review_by"]
    return local_time(at)


def _row(escrow: Mapping[str, Any], prefs: Prefs, now: datetime, base: str) -> QueueRow:
    due = _due(escrow)
    return QueueRow(
        href=f"{base}/{escrow['id']}",
        title=escrow["title"],
        payer=escrow["payer_name"],
        payee=_("%(agent)s of %(payee)s", agent=escrow["agent_name"], payee=escrow["payee_name"]),
        amount=amount(escrow["amount"], escrow["currency"], prefs),
        said=_said(escrow, prefs),
        until=moment(due, prefs),
        left=relative(due, now, prefs),
        overdue=due < now,
    )


def _said(escrow: Mapping[str, Any], prefs: Prefs) -> str:
    if escrow["status"] == "disputed":
        number = len(escrow["dispute"]["evidence"])
        return ngettext("%(number)s piece", "%(number)s pieces", number) % {"number": number} if number else _("none")
    threshold, score = escrow["validation_threshold"], escrow["validation_score"]
    if threshold is None:
        return _("not required")
    needed = percent(threshold, prefs)
    if score is None:
        return _("none yet, needs %(threshold)s", threshold=needed)
    return _("%(score)s, needs %(threshold)s", score=percent(score, prefs), threshold=needed)
