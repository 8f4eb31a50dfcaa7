"""The page on which the client of a settled job rates it, once, and changes the rating, once."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response

from console.forms import Form, FormState, blank, corrected, read_form
from console.noun import Json
from console.noun_page import FormPage
from console.reputation.scores import DIMENSIONS
from console.routing import COMMAND, console_of, tenant
from console.texts import N_, _
from console.visit import Visit
from console.widgets import Link
from domain.common.access import Permission
from domain.escrow.state import FINAL, EscrowStatus

#: The field with the id of the feedback that a form changes; empty where it gives the first.
_CHANGED = "feedback_id"
#: The fields of an escrow that name its parties.
_PARTIES = ("payer_org_id", "payee_org_id")
_QUESTIONS = {
    "task_success": N_("Did you get what you asked for?"),
    "response_time": N_("Were answers and deliveries quick?"),
    "reliability": N_("Did the agent do what it said it would?"),
    "collaboration": N_("Was it easy to work with?"),
    "quality": N_("How good is the work?"),
}


def is_settled(escrow: Json) -> bool:
    """Return whether an escrow ended in a way that its client can rate: something was delivered, or was due."""
    if escrow["status"] == EscrowStatus.REFUNDED:
        return escrow["delivery"] is not None or escrow["dispute"] is not None
    return escrow["status"] in FINAL - {EscrowStatus.CANCELLED}


async def given_of(visit: Visit, escrow: Json) -> Json | None:
    """Return the feedback on an escrow, for its parties and the platform; None if there is none, or it is not known."""
    if not is_settled(escrow):
        return None
    agent_id, contract_id = escrow["payee_agent_id"], escrow["contract_id"]
    answer = await visit.ask("/reputation/feedback", agent_id=agent_id, contract_id=contract_id, limit=1)
    return next(iter(answer.body["data"]), None) if answer.ok else None


def closes_at(visit: Visit, escrow: Json) -> datetime | None:
    """Return until when the reader can rate a job, also where that is over; None for those who never can.

    An agent's key rates by the API.
    """
    is_client = visit.org_id == escrow["payer_org_id"] != escrow["payee_org_id"]
    may = visit.may(Permission.DISPUTE) and not visit.me.is_platform and visit.me.agent_id is None
    if not (is_client and may and is_settled(escrow)):
        return None
    return datetime.fromisoformat(escrow["updated_at"]) + console_of(visit.request).settings.feedback_window


async def link_of(visit: Visit, escrow: Json) -> Link | None:
    """Return the link from an escrow to its rating; None if there is none and the reader cannot give one now."""
    if not visit.org_id:
        return None
    until, href = closes_at(visit, escrow), f"{visit.base}/escrows/{escrow['id']}/feedback"
    if await given_of(visit, escrow) is not None:
        return Link(label=_("Rating"), href=href)
    is_open = until is not None and datetime.now(UTC) < until
    return Link(label=_("Rate this job"), href=href, kind="primary") if is_open else None


def typed(given: Json | None) -> Mapping[str, str]:
    """Return the values of the form that changes a rating."""
    if given is None:
        return {}
    return {name: str(stars) for name, stars in given["ratings"].items()} | {"comment": given["comment"] or ""}


async def show(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    listed = f"{visit.base}/escrows"
    here = f"{listed}/{visit.path('id')}"
    it = visit.owned((await visit.ask(f"/escrows/{visit.path('id')}")).need(), *_PARTIES)
    given, until = await given_of(visit, it), closes_at(visit, it)
    is_over = until is not None and datetime.now(UTC) >= until
    is_open = until is not None and not is_over and (given is None or given["changed_at"] is None)
    title = _("Rating of %(work)s") if given or not is_open else _("Rate this job: %(work)s")
    page = FormPage(
        title=title % {"work": it["title"]},
        crumbs=(Link(label=_("Escrows"), href=listed), Link(label=it["title"], href=here)),
        action=f"{here}/feedback",
        form=form or blank(**typed(given)),
        label=_("Edit rating") if given else _("Submit rating"),
    )
    values = {
        "it": it,
        "given": given,
        "until": until.isoformat() if until else "",
        **{"is_open": is_open, "is_over": is_over},
        "labels": DIMENSIONS,
        "questions": _QUESTIONS,
        "back": here,
    }
    return await visit.show("feedback/page.html", page, values, status)


def body(form: Form) -> dict[str, Any]:
    """Return what is sent to the API: the dimensions that were rated, and the comment."""
    chosen = {name: form.text(name) for name in DIMENSIONS if form.text(name)}
    ratings = {name: int(rating) if rating in set("12345") else rating for name, rating in chosen.items()}
    return {"ratings": ratings, "comment": form.maybe("comment")}


async def give(visit: Visit) -> Response:
    form = await read_form(visit.request, *DIMENSIONS, "comment", _CHANGED)
    sent, changed = body(form), form.text(_CHANGED)
    if not sent["ratings"]:
        return await show(visit, corrected(form, {next(iter(DIMENSIONS)): _("Rate at least one of these.")}), 422)
    if changed:
        answer = await visit.command("PUT", f"/reputation/feedback/{changed}", sent, form.key)
    else:
        contract_id = "ctr_" + visit.path("id").removeprefix("esc_")
        answer = await visit.command("POST", "/reputation/feedback", {"contract_id": contract_id, **sent}, form.key)
    notice = "feedback.changed" if changed else "feedback.given"
    names = {f"ratings.{name}": name for name in DIMENSIONS}
    here = f"{visit.base}/escrows/{visit.path('id')}/feedback"
    return await visit.concluded(form, answer, here, notice, show=show, names=names)


ROUTES = (tenant("/escrows/{id}/feedback", show), tenant("/escrows/{id}/feedback", give, COMMAND))
