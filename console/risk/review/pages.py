"""Reviews: what is held or waits, why in a class, the question and its answer, and appeals."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from console.forms import FormState, blank, read_form
from console.gateway import Answer, Refused
from console.lists import ListResult
from console.noun import Json, Noun
from console.noun_page import FormPage, select
from console.refusals import not_found
from console.risk.words import word
from console.routing import COMMAND
from console.texts import N_, _
from console.visit import Visit
from domain.common.access import Permission

REVIEWS = Noun(
    "/risk/cases",
    at="/reviews",
    title=N_("Reviews"),
    folder="risk/review",
    name=lambda it: word("reason", it["reason"]),
    change=Permission.CONTEST,
    owners=("organization_ids",),
)


async def of_list(_visit: Visit, _found: ListResult) -> dict[str, Any]:
    return {"word": word}


async def of_review(visit: Visit, it: Json, _answers: Mapping[str, Answer]) -> dict[str, Any]:
    naming = await visit.naming((*it["holds"], *it["decisions"]), "subject")
    return {"word": word, "naming": naming, "is_party": not visit.me.is_platform and visit.may(Permission.CONTEST)}


async def ask(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    """Show the form by which the decision in the address is appealed."""
    visit.need(Permission.CONTEST)
    if visit.me.is_platform:
        raise Refused(not_found(visit.request))
    it = visit.owned((await visit.ask(f"/risk/decisions/{visit.path('id')}")).need())
    page = FormPage(
        title=_("Appeal"),
        crumbs=REVIEWS.crumbs(visit),
        action=f"{visit.base}/reviews/decisions/{visit.path('id')}/appeal",
        form=form or blank(),
        label=_("Send appeal"),
        lead=_("A person reviews it. If it is released, repeat what was stopped."),
    )
    return await visit.show("risk/review/appeal.html", page, {"it": it, "word": word}, status)


async def send(visit: Visit) -> Response:
    form = await read_form(visit.request, "appeal")
    path = f"/risk/decisions/{visit.path('id')}/appeal"
    answer = await visit.command("POST", path, {"appeal": form.text("appeal")}, form.key)
    at = REVIEWS.here(visit, answer.body["id"]) if answer.ok else ""
    return await visit.concluded(form, answer, at, "risk.appealed", show=ask)


REVIEWS.list(select("status", N_("Status"), "review"), days=True, values=of_list, create="")
REVIEWS.page(values=of_review)
REVIEWS.command("answer", "risk.answered", "answer")
REVIEWS.command("appeal", "risk.appealed", "appeal")
REVIEWS.add("/reviews/decisions/{id}/appeal", ask)
REVIEWS.add("/reviews/decisions/{id}/appeal", send, *COMMAND)
ROUTES = REVIEWS.routes
