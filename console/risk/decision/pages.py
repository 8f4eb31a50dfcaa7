"""Decisions on acts: the list, and one with what it saw, its score and its label."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from starlette.responses import Response

from console.format import percent
from console.forms import read_form
from console.gateway import Answer
from console.lists import ListResult
from console.noun import Json, Noun
from console.noun_page import pick, select, text
from console.platform.desk import risk_desk
from console.reader import reader
from console.risk.words import any_of, word
from console.routing import COMMAND
from console.texts import N_
from console.visit import Visit
from domain.common.access import Permission

DECISIONS = Noun(
    "/risk/decisions",
    title=N_("Risk decisions"),
    folder="risk/decision",
    name=lambda it: word("act", it["point"]),
    change=Permission.RISK_DECIDE,
    site=risk_desk,
)


def score(value_e4: int) -> str:
    """Write a score in ten-thousandths in percent."""
    return percent(f"{Decimal(value_e4).scaleb(-4):f}", reader().prefs)


async def of_list(visit: Visit, found: ListResult) -> dict[str, Any]:
    return {"word": word, "score": score, "naming": await visit.naming(found.rows, "organization_id", "subject")}


async def of_decision(visit: Visit, it: Json, _answers: Mapping[str, Answer]) -> dict[str, Any]:
    naming = await visit.naming((it, it["details"]), "organization_id", "subject", "counterparty_organization_id")
    return {"word": word, "score": score, "naming": naming}


async def label(visit: Visit) -> Response:
    """Label the decision in the address; a label is final."""
    form = await read_form(visit.request, "label")
    body = {"decision_id": visit.path("id"), "label": form.text("label")}
    answer = await visit.command("POST", "/risk/labels", body, form.key)
    return await visit.concluded(form, answer, DECISIONS.here(visit), "risk.labelled", show=DECISIONS.show)


DECISIONS.list(
    select("point", N_("Action"), any_of("act")),
    select("outcome", N_("Outcome"), "risk_outcome"),
    text("rule", N_("Rule")),
    select("label", N_("Label"), "risk_label"),
    text("subject", N_("Id of the subject")),
    pick("organization_id", N_("Organization")),
    days=True,
    values=of_list,
    create="",
)
DECISIONS.page(values=of_decision)
DECISIONS.add("/risk/decisions/{id}/label", label, *COMMAND)
ROUTES = DECISIONS.routes
