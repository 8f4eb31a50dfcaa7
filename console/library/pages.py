"""Agents that an organization has bought: the library, one purchase, returning it, and cancelling it."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from starlette.responses import Response

from console.agent.prices import offer_price
from console.format import moment, money
from console.forms import FormState, blank, read_form
from console.gateway import Answer, Wanted
from console.noun import Json, Noun
from console.problems import Reaction
from console.reader import reader
from console.refusals import not_allowed
from console.routing import COMMAND
from console.texts import N_, _
from console.visit import Visit
from console.widgets import Confirmation
from domain.marketplace.offer import OfferModel

_NOTICES = {"refund": "purchase.refunded", "cancel": "purchase.cancelled"}

LISTED = Noun("/marketplace/library", at="/library", title=N_("Library"), folder="library")
PURCHASES = Noun("/marketplace/purchases", at="/library", title=N_("Library"), folder="library", name="agent_name")


def term(purchase: Json) -> str:
    """Return what happens automatically at the end of a paid month; empty if nothing does."""
    if purchase["ends_at"] is None or purchase["status"] != "active":
        return ""
    at = moment(purchase["ends_at"], reader().prefs).text
    if not purchase["has_access"]:
        return _("Ended %(at)s", at=at)
    return _("Renews %(at)s", at=at) if purchase["renews"] else _("Ends %(at)s", at=at)


async def of_list(_visit: Visit, _found: object) -> Json:
    return {"term": term}


def of_page(visit: Visit) -> dict[str, Wanted]:
    return {"actions": (f"{PURCHASES.own(visit)}/actions", {})}


async def of_purchase(visit: Visit, purchase: Json, answers: Mapping[str, Answer]) -> Json:
    offer = await visit.ask(f"/marketplace/agents/{purchase['agent_id']}")
    actions = answers["actions"]
    known = {each["action"]: each for each in actions.body["actions"]} if actions.ok else {}
    refused = known.get("refund", {}).get("reason")
    return {
        "term": term,
        "allowed": [name for name in _NOTICES if name in known and known[name]["allowed"]],
        "reason": refused["detail"] if refused and purchase["has_access"] else "",
        "is_offered": offer.ok,
    }


async def ask(visit: Visit, name: str, form: FormState | None = None, status: int = 200) -> Response:
    """Ask before a purchase is returned or cancelled, with the refund that the API names."""
    show = PURCHASES.show
    if status == 409:
        return await show(visit, form, status)
    path = PURCHASES.own(visit)
    answers = await visit.ask_all(it=(path, {}), actions=(f"{path}/actions", {}))
    it, actions = visit.owned(answers["it"].need()), answers["actions"].need()["actions"]
    action = next(each for each in actions if each["action"] == name)
    if not action["allowed"]:
        return await show(visit, not_allowed(visit.request, action["reason"], Reaction.APPROVAL), 409)
    page = _question(visit, it, action, form or blank())
    return await visit.render("parts/confirmation.html", page, status)


def _question(visit: Visit, purchase: Json, action: Json, form: FormState) -> Confirmation:
    effect, prefs, agent = action["effect"], reader().prefs, purchase["agent_name"]
    facts = [(_("Agent"), agent), (_("Price"), offer_price(purchase))]
    if action["action"] == "cancel":
        title, label = _("Cancel: %(agent)s", agent=agent), _("Cancel")
        said = (_("The agent leaves the library at once. Used parts are not refunded."),)
        if purchase["model"] != OfferModel.USAGE:
            until = moment(purchase["ends_at"], prefs).text
            said = (_("The agent can be used until %(until)s. Nothing is charged after that.", until=until),)
    else:
        title, label = _("Return: %(agent)s", agent=agent), _("Return")
        source = _("The money is returned to its source, which can take days.")
        said = (
            _("The agent can no longer be used."),
            *((source,) if purchase["payment_id"] else ()),
            _("An agent can be returned once: a second purchase of it is final."),
        )
    if effect["to_buyer"] is not None:
        back, used = (money(effect[part], effect["currency"], prefs) for part in ("to_buyer", "used"))
        label = _("Return for %(amount)s", amount=back)
        facts += [(_("Refund"), back), (_("Used"), used)]
    return Confirmation(
        title=title,
        back=PURCHASES.here(visit),
        action=f"{PURCHASES.here(visit)}/{action['action']}",
        label=label,
        form=form,
        facts=tuple(facts),
        effect=said,
    )


async def give(visit: Visit, name: str) -> Response:
    form = await read_form(visit.request)
    answer: Any = await visit.command("POST", f"{PURCHASES.own(visit)}/{name}", {}, form.key)

    async def again(visit: Visit, shown: FormState, status: int) -> Response:
        return await ask(visit, name, shown, status)

    return await visit.concluded(form, answer, PURCHASES.here(visit), _NOTICES[name], show=again)


LISTED.list(values=of_list, create="")
PURCHASES.page(extra=of_page, values=of_purchase)
for each in _NOTICES:
    PURCHASES.add(f"/library/{{id}}/{each}", partial(ask, name=each))
    PURCHASES.add(f"/library/{{id}}/{each}", partial(give, name=each), *COMMAND)
ROUTES = (*LISTED.routes, *PURCHASES.routes)
