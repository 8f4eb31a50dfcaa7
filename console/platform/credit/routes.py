"""Credits: grants and their lots, and what actions cost."""

from starlette.responses import Response

from console import lists
from console.forms import FormState, blank, corrected, is_number, read_form
from console.gateway import Wanted
from console.platform.credit import view
from console.platform.credit.view import FILTERS, PLACE
from console.platform.desk import operators
from console.routing import COMMAND, platform
from console.visit import Visit
from domain.common.access import Permission
from domain.credits.action_cost import is_action

_GRANTS = "/credits/grants"
_GRANT = ("receiver", "amount", "source", "expires", "note")


async def show(visit: Visit) -> Response:
    """Show the grants that the address asks for, what is left of one organization's, and what actions cost."""
    return await _show(visit, None, None, 200)


async def grant(visit: Visit) -> Response:
    form = await read_form(visit.request, *_GRANT, "sure")
    if not form.maybe("sure") and is_number(form.number("amount")):
        naming = await visit.naming([{"organization_id": form.text("receiver")}], "organization_id")
        return await visit.render("parts/confirmation.html", view.granting(form, naming))
    body = {
        "organization_id": form.text("receiver"),
        "amount": form.number("amount"),
        "source": form.text("source"),
        "expires_at": lists.bound_of(day, visit.choices.zone or "UTC") if (day := form.text("expires")) else None,
        "note": form.maybe("note"),
    }
    answer = await visit.command("POST", _GRANTS, body, form.key)
    if answer.ok:
        return visit.done(f"{PLACE}?organization_id={answer.body['organization_id']}", "credit.granted", answer)
    return await visit.refused(form, answer, _again, {"expires_at": "expires", "organization_id": "receiver"})


async def set_cost(visit: Visit) -> Response:
    form = await read_form(visit.request, "action", "cost", "cost_note")
    action = form.text("action")
    # It becomes part of the API's path, where an impossible one is not found.
    if not is_action(action):
        errors = {"action": "A name has lower case letters, digits, _, ., : and -, at most 64."}
        return await _cost_again(visit, corrected(form, errors), 422)
    body = {"cost": form.maybe_number("cost"), "note": form.maybe("cost_note")}
    answer = await visit.command("PUT", f"/credits/costs/{action}", body, form.key)
    return await visit.concluded(form, answer, PLACE, "credit.cost_set", show=_cost_again, names={"note": "cost_note"})


async def _again(visit: Visit, form: FormState, status: int) -> Response:
    return await _show(visit, form, None, status)


async def _cost_again(visit: Visit, form: FormState, status: int) -> Response:
    return await _show(visit, None, form, status)


async def _show(visit: Visit, granting: FormState | None, costing: FormState | None, status: int) -> Response:
    org_id = visit.chosen("organization_id").get("organization_id", "")
    beside: dict[str, Wanted] = {"costs": ("/credits/costs", {})}
    if org_id:
        beside["lots"] = ("/credits/lots", {"organization_id": org_id, "limit": 50})
    found = await lists.find(visit, _GRANTS, *FILTERS, at=PLACE, extra=beside)
    fresh = granting or blank(receiver=org_id)
    page = view.page(
        found,
        fresh,
        costing or blank(),
        await visit.naming(found.rows, "organization_id"),
        may_grant=visit.may(Permission.GRANT_CREDITS),
        may_price=visit.may(Permission.OPERATE),
    )
    return await visit.render("platform/credit/page.html", page, found.status if status == 200 else status)


ROUTES = (
    operators("/credits", show),
    operators("/credits.csv", lists.file(_GRANTS, "grants", *FILTERS)),
    platform("/credits/grants", grant, COMMAND),
    platform("/credits/costs", set_cost, COMMAND),
)
