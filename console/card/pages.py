"""Cards that agents pay with: the list, one card with its payments, its commands, and its number at Stripe."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse, Response

from console.forms import blank, read_form
from console.gateway import Answer, Refused
from console.noun import Json, Noun
from console.noun_page import FormPage, pick, search, select
from console.policy import with_stripe
from console.refusals import not_found
from console.routing import COMMAND
from console.texts import N_, _, gettext
from console.visit import Visit
from domain.common.access import Permission

_DECLINED = {
    "card_inactive": N_("The card was not active"),
    "agent_retired": N_("The agent is retired"),
    "other_currency": N_("Not in the card's currency"),
    "no_rate": N_("No recent exchange rate"),
    "card_limit": N_("Above the limit per payment"),
    "order_ended": N_("Its purchase is paid or ended"),
    "spend_limit": N_("Declined by a budget or limit"),
    "funds": N_("Not enough purchased credits"),
    "organization_stopped": N_("The organization is suspended or closed"),
    "not_taken": N_("Timed out"),
}

CARDS = Noun(
    "/cards",
    title=N_("Cards"),
    folder="card",
    above=((N_("Purchases"), "/purchases"),),
    change=Permission.MANAGE_BILLING,
)


def why(payment: Json) -> str:
    """Return why a payment was declined, or that more was captured than authorized; empty for any other."""
    declined = [each["reason"] for each in payment["requests"] if not each["approved"]]
    if declined:
        return gettext(_DECLINED.get(declined[-1], ""))
    is_above = any(each["kind"] == "capture" and each["beyond"].strip("0.") for each in payment["transactions"])
    return _("Captured above the authorized amount") if is_above else ""


async def of_card(visit: Visit, _card: Json, _answers: Mapping[str, Answer]) -> dict[str, Any]:
    return {"has_number": visit.stripe_form is not None, "why": why}


async def show_number(visit: Visit) -> Response:
    """Show the page on which Stripe's script shows the number; it never comes here."""
    visit.need(Permission.MANAGE_BILLING)
    card = await CARDS.find(visit)
    if visit.stripe_form is None:
        raise Refused(not_found(visit.request))
    script, key = visit.stripe_form
    action = f"{CARDS.here(visit)}/number"
    page = FormPage(title=_("Card number"), crumbs=CARDS.crumbs(visit, card), action=action, form=blank())
    shown = await visit.show("card/number.html", page, {"it": card, "script": script, "key": key}, secret=True)
    shown.headers["Content-Security-Policy"] = with_stripe(script)
    return shown


async def display(visit: Visit) -> Response:
    """Answer the page's script with the key by which Stripe shows the number, for the nonce that Stripe has made."""
    form = await read_form(visit.request, "nonce")
    answer = await visit.command("POST", f"{CARDS.own(visit)}/display", {"nonce": form.text("nonce")}, form.key)
    body = answer.body if answer.ok else {"error": _("The number cannot be shown now. Reload the page to try again.")}
    return JSONResponse(body, answer.status, headers={"Cache-Control": "no-store"})


CARDS.list(
    select("status", N_("Status"), "card"),
    pick("agent_id", N_("Agent")),
    search(N_("Name or last digits")),
    may_create=lambda visit: visit.issues_cards,
)
CARDS.page(below="/transactions", values=of_card)
CARDS.form(
    "new",
    "card.created",
    "agent_id",
    "name",
    "currency",
    numbers=("per_authorization", "per_month"),
    title=N_("Create card"),
    lead=N_("The card works at once. Payments use purchased credits, within the agent's budgets."),
    label=N_("Create card"),
    sources={"agent_id": ("agents", {})},
)
CARDS.command("freeze", "card.frozen")
CARDS.command("unfreeze", "card.unfrozen")
CARDS.question(
    "close",
    "card.closed",
    title=N_("Close %(name)s?"),
    label=N_("Close card"),
    effect=(
        N_("Every later payment is declined. This cannot be undone."),
        N_("Open authorizations can still be captured, and refunds still arrive."),
    ),
)
CARDS.add("/cards/{id}/number", show_number)
CARDS.add("/cards/{id}/number", display, *COMMAND)
ROUTES = CARDS.routes
