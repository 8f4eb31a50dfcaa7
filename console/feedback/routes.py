"""The page on which the client of a settled job rates it, once, and changes the rating, once."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response

from console.feedback import view
from console.forms import FormState, blank, corrected, read_form
from console.reputation.view import DIMENSIONS
from console.routing import COMMAND, console_of, tenant
from console.visit import Visit
from console.widgets import Link
from domain.common.access import Permission

#: The fields of an escrow that say whose it is: that of both parties.
_PARTIES = ("payer_org_id", "payee_org_id")


async def given_of(visit: Visit, escrow: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the feedback on an escrow, for its parties and the platform; None if there is none, or it is not known."""
    if not view.is_settled(escrow):
        return None
    agent_id, contract_id = escrow["payee_agent_id"], escrow["contract_id"]
    answer = await visit.ask("/reputation/feedback", agent_id=agent_id, contract_id=contract_id, limit=1)
    return next(iter(answer.body["data"]), None) if answer.ok else None


def closes_at(visit: Visit, escrow: Mapping[str, Any]) -> datetime | None:
    """Return until when the reader can rate a job, also where that is over; None for those who never can.

    An agent's key rates by the API.
    """
    is_client = visit.org_id == escrow["payer_org_id"] != escrow["payee_org_id"]
    may = visit.may(Permission.DISPUTE) and not visit.me.is_platform and visit.me.agent_id is None
    if not (is_client and may and view.is_settled(escrow)):
        return None
    return view.closes_at(escrow, console_of(visit.request).settings.feedback_window)


async def link_of(visit: Visit, escrow: Mapping[str, Any]) -> Link | None:
    """Return the link from an escrow to its rating; None if there is none and the reader cannot give one now."""
    if not visit.org_id:
        return None
    until, href = closes_at(visit, escrow), f"{visit.base}/escrows/{escrow['id']}/feedback"
    if await given_of(visit, escrow) is not None:
        return Link(label="Rating", href=href)
    is_open = until is not None and datetime.now(UTC) < until
    return Link(label=view.TITLE, href=href, kind="primary") if is_open else None


async def show(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    escrow_id = visit.path("id")
    escrow = visit.owned((await visit.ask(f"/escrows/{escrow_id}")).need(), *_PARTIES)
    given, until = await given_of(visit, escrow), closes_at(visit, escrow)
    is_over = until is not None and datetime.now(UTC) >= until
    page = view.page(
        escrow,
        given,
        form or blank(**view.values(given)),
        visit.choices.prefs,
        f"{visit.base}/escrows/{escrow_id}",
        until=None if is_over else until,
        is_over=is_over,
    )
    return await visit.render("feedback/page.html", page, status)


async def give(visit: Visit) -> Response:
    form = await read_form(visit.request, *view.FIELDS)
    body = view.body(form)
    if not body["ratings"]:
        return await show(visit, corrected(form, {next(iter(DIMENSIONS)): "Rate at least one of these."}), 422)
    if form.text(view.CHANGED):
        answer = await visit.command("PUT", f"/reputation/feedback/{form.text(view.CHANGED)}", body, form.key)
    else:
        contract_id = "ctr_" + visit.path("id").removeprefix("esc_")
        answer = await visit.command("POST", "/reputation/feedback", {"contract_id": contract_id, **body}, form.key)
    notice = "feedback.changed" if form.text(view.CHANGED) else "feedback.given"
    names = {f"ratings.{name}": name for name in DIMENSIONS}
    here = f"{visit.base}/escrows/{visit.path('id')}/feedback"
    return await visit.concluded(form, answer, here, notice, show=show, names=names)


ROUTES = (tenant("/escrows/{id}/feedback", show), tenant("/escrows/{id}/feedback", give, COMMAND))
