"""Credits: grants and their lots, and what actions cost."""

from typing import Any

from starlette.responses import Response

from console import lists, picker
from console.filters import money
from console.forms import FormState, blank, corrected, is_number, read_form
from console.gateway import Wanted
from console.lists import ListResult
from console.noun import Noun
from console.noun_page import amount, pick, search
from console.platform.desk import operators
from console.problems import answered
from console.routing import COMMAND
from console.texts import N_, _, gettext
from console.visit import Visit
from console.widgets import Confirmation
from domain.common.money import CREDIT
from domain.credits.action_cost import is_action

_SOURCES = (("promotion", N_("Promotion")), ("reward", N_("Reward")), ("adjustment", N_("Adjustment")))
_NOTE = N_("A grant cannot be reversed. A large one needs two operators.")
_RECEIVER: picker.Sources = {"receiver": ("organizations", {})}
GRANTS = Noun("/credits/grants", at="/credits", title=N_("Credits"), folder="platform/credit", site=operators)


def extra_queries(visit: Visit) -> dict[str, Wanted]:
    chosen = visit.chosen("organization_id")
    lots: dict[str, Wanted] = {"lots": ("/credits/lots", {**chosen, "limit": 50})} if chosen else {}
    return {"costs": ("/credits/costs", {}), **lots}


async def of_list(visit: Visit, found: ListResult) -> dict[str, Any]:
    org_id = found.asked.given.get("organization_id", "")
    granting = blank(receiver=org_id)
    for answer in found.extra.values():
        answered(answer)
    return {
        "naming": await visit.naming(found.rows, "organization_id"),
        "costs": found.extra["costs"],
        "lots": found.extra.get("lots"),
        "granting": granting,
        **await lists.choices(visit, _RECEIVER, granting),
        "sources": _sources(),
        "note": gettext(_NOTE),
    }


def _sources() -> tuple[tuple[str, str], ...]:
    return tuple((value, gettext(words)) for value, words in _SOURCES)


async def grant(visit: Visit) -> Response:
    form = await read_form(visit.request, "receiver", "amount", "source", "expires", "note", "sure")
    form, errors = await picker.resolved(visit, form, _RECEIVER)
    if errors:
        return await GRANTS.show_list(visit, corrected(form, errors), 422)
    receiver, granted, expires = form.text("receiver"), form.number("amount"), form.text("expires")
    if not form.maybe("sure") and is_number(granted):
        naming = await visit.naming([{"organization_id": receiver}], "organization_id")
        title = _("Grant %(amount)s?", amount=money(granted, CREDIT))
        page = Confirmation(
            title=title,
            back=GRANTS.listed(visit),
            action=f"{GRANTS.listed(visit)}/grants",
            label=_("Grant %(amount)s", amount=money(granted, CREDIT)),
            kind="primary",
            form=FormState(key=form.key),
            facts=(
                (_("Organization"), naming.names.get(receiver, receiver)),
                (_("Reason"), dict(_sources()).get(form.text("source"), form.text("source"))),
                (_("Last day"), expires or _("Never expires")),
            ),
            effect=(gettext(_NOTE),),
            fields=(*form.values.items(), ("sure", "yes")),
        )
        return await visit.render("parts/confirmation.html", page)
    body = {
        "organization_id": receiver,
        "amount": granted,
        "source": form.text("source"),
        "expires_at": lists.bound_of(expires, visit.choices.zone or "UTC") if expires else None,
        "note": form.maybe("note"),
    }
    answer = await visit.command("POST", GRANTS.path, body, form.key)
    after = f"{GRANTS.listed(visit)}?organization_id={receiver}"
    names = {"expires_at": "expires", "organization_id": "receiver"}
    return await visit.concluded(form, answer, after, "credit.granted", show=GRANTS.show_list, names=names)


async def set_cost(visit: Visit) -> Response:
    form = await read_form(visit.request, "action", "cost", "cost_note")
    action = form.text("action")
    # It becomes part of the API's path, where an impossible one is not found.
    if not is_action(action):
        errors = {"action": _("A name has lower case letters, digits, _, ., : and -, at most 64.")}
        return await GRANTS.show_list(visit, corrected(form, errors), 422)
    body = {"cost": form.maybe_number("cost"), "note": form.maybe("cost_note")}
    answer = await visit.command("PUT", f"/credits/costs/{action}", body, form.key)
    after, names = GRANTS.listed(visit), {"note": "cost_note"}
    return await visit.concluded(form, answer, after, "credit.cost_set", show=GRANTS.show_list, names=names)


GRANTS.list(
    search(N_("Text")),
    pick("organization_id", N_("Organization")),
    amount("min_amount", N_("At least, in credits")),
    amount("max_amount", N_("At most, in credits")),
    days=True,
    values=of_list,
    extra=extra_queries,
    create="",
)
GRANTS.add("/credits/grants", grant, *COMMAND)
GRANTS.add("/credits/costs", set_cost, *COMMAND)
ROUTES = GRANTS.routes
