"""What the page of a job's rating shows: the rating, and the form that gives or changes it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from console.format import Moment, Prefs, moment
from console.forms import Form, FormState
from console.reputation.view import DIMENSIONS
from console.widgets import FormPage, Link
from domain.escrow.state import FINAL, EscrowStatus

COMMENT = "comment"
#: The feedback that a form changes; empty where it gives the first.
CHANGED = "feedback_id"
FIELDS = (*DIMENSIONS, COMMENT, CHANGED)
TITLE = "Rate this job"
_QUESTIONS = {
    "task_success": "Did you get what you asked for?",
    "response_time": "Were answers and deliveries quick?",
    "reliability": "Did the agent do what it said it would?",
    "collaboration": "Was it easy to work with?",
    "quality": "How good is the work?",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rated:
    label: str
    stars: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The rating that stands; the comment is the client's text."""

    ratings: tuple[Rated, ...]
    comment: str
    at: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    name: str
    label: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback(FormPage):
    """The page.

    Attributes:
        given: the rating; None if there is none.
        until: until when the reader can give or change it; None for those who cannot.
        changed: the id of the rating that the form changes; empty if it gives the first.
        why: why the reader cannot rate the job now; empty if they can, or have.
    """

    lead: str
    path: str
    back: str
    given: Given | None
    until: Moment | None
    changed: str
    questions: tuple[Question, ...]
    label: str
    why: str


def is_settled(escrow: Mapping[str, Any]) -> bool:
    """Return whether an escrow ended in a way that its client can rate: something was delivered, or was due."""
    status = escrow["status"]
    if status == EscrowStatus.REFUNDED:
        return escrow["delivery"] is not None or escrow["dispute"] is not None
    return status in FINAL - {EscrowStatus.CANCELLED}


def closes_at(escrow: Mapping[str, Any], window: timedelta) -> datetime:
    return datetime.fromisoformat(escrow["updated_at"]) + window


def page(
    escrow: Mapping[str, Any],
    given: Mapping[str, Any] | None,
    form: FormState,
    prefs: Prefs,
    here: str,
    *,
    until: datetime | None,
    is_over: bool,
) -> Feedback:
    agent = escrow["agent_name"]
    is_open = until is not None and (given is None or given["changed_at"] is None)
    why = "" if given or is_open else "The time to rate this job is over." if is_over else "This job was not rated."
    return Feedback(
        title=f"{TITLE}: {escrow['title']}" if is_open and given is None else f"Rating of {escrow['title']}",
        lead=f"Your rating counts toward the reputation of {agent}. It is shown without your name."
        if is_open
        else f"Done by {agent} of {escrow['payee_name']}.",
        crumbs=(Link(label="Escrows", href=here.rpartition("/")[0]), Link(label=escrow["title"], href=here)),
        path=f"{here}/feedback",
        back=here,
        form=form,
        given=_given(given, prefs) if given else None,
        until=moment(until.isoformat(), prefs) if is_open and until else None,
        changed=given["id"] if given and is_open else "",
        questions=tuple(Question(name=name, label=DIMENSIONS[name], hint=_QUESTIONS[name]) for name in DIMENSIONS),
        label="Edit rating" if given else "Submit rating",
        why=why,
    )


def _given(feedback: Mapping[str, Any], prefs: Prefs) -> Given:
    return Given(
        ratings=tuple(
            Rated(label=label, stars=str(feedback["ratings"][name]))
            for name, label in DIMENSIONS.items()
            if name in feedback["ratings"]
        ),
        comment=feedback["comment"] or "",
        at=moment(feedback["changed_at"] or feedback["created_at"], prefs),
    )


def values(feedback: Mapping[str, Any] | None) -> dict[str, str]:
    if feedback is None:
        return {}
    ratings = {name: str(rating) for name, rating in feedback["ratings"].items()}
    return ratings | {COMMENT: feedback["comment"] or ""}


def body(form: Form) -> dict[str, Any]:
    """Return what the API is asked for: the dimensions that were rated, and the comment."""
    chosen = {name: form.text(name) for name in DIMENSIONS if form.text(name)}
    ratings = {name: int(rating) if rating in set("12345") else rating for name, rating in chosen.items()}
    return {"ratings": ratings, COMMENT: form.maybe(COMMENT)}
