"""Purchases of agents outside: what waits for an approval first, all of them, and one with its decision."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from starlette.responses import Response

from console import lists
from console.forms import FormState, blank, read_form
from console.gateway import Wanted
from console.purchase_order import view
from console.routing import COMMAND, tenant
from console.visit import Visit
from domain.budgets.purchase_order import PurchaseOrderStatus
from domain.common.access import Permission

_PATH = "/purchase-orders"
#: So many orders that wait are shown above the list.
_WAITING = 20


def _listed(visit: Visit) -> str:
    return f"{visit.base}/purchases"


def _own(visit: Visit) -> str:
    return f"{_PATH}/{visit.path('id')}"


async def show(visit: Visit) -> Response:
    waiting: Wanted = (_PATH, {"status": "needs_approval", "limit": _WAITING, **visit.scope})
    reported: Wanted = (_PATH, {"unconfirmed": "true", "limit": _WAITING, **visit.scope})
    beside = {"waiting": waiting, "reported": reported}
    found = await lists.find(visit, _PATH, *view.FILTERS, days=False, extra=beside)
    policies = f"{visit.base}/payment-policies" if visit.may(Permission.READ_BILLING) else ""
    page = view.page(found, await visit.naming([]), _listed(visit), policies)
    return await visit.render("purchase_order/list.html", page, found.status)


async def _found(visit: Visit) -> Mapping[str, Any]:
    return visit.owned((await visit.ask(_own(visit))).need())


async def show_one(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    """Show one purchase: what was decided and why, the attempts to pay, and the forms of those who approve."""
    order = await _found(visit)
    decides = visit.may(Permission.MANAGE_BILLING) and order["principal"] != visit.me.principal
    shown = form or blank()
    waits = decides and order["status"] == PurchaseOrderStatus.NEEDS_APPROVAL
    refusing = view.refusing(order, shown) if waits else ()
    budgets = await visit.ask_all(**{each: (f"/budgets/{each.partition(':')[0]}", {}) for each in refusing})
    naming = await visit.naming([order["decision"]], "budget_id")
    confirms = visit.may(Permission.MANAGE_BILLING)
    page = view.one(order, shown, naming, _listed(visit), budgets, waits=waits, confirms=confirms)
    return await visit.render("purchase_order/page.html", page, status)


async def grant(visit: Visit) -> Response:
    form = await read_form(visit.request, "digest", "reason", "reserve", "refusing", "lift")
    body: dict[str, Any] = {"digest": form.text("digest"), "reason": form.maybe("reason")}
    if form.text("reserve"):
        body["pool"] = "reserve"
    if form.text("lift"):
        pairs = (each.partition(":") for each in form.text("refusing").split())
        body["lifts"] = [{"budget_id": budget_id, "window": window} for budget_id, _, window in pairs]
    answer = await visit.command("POST", f"{_own(visit)}/grant", body, form.key)
    more = answer.problem.more if answer.problem else {}
    if more.get("window") and more.get("pool") == "operating":
        # The page then offers to lift the window that has refused as well.
        refusing = f"{form.text('refusing')} {more['control_id']}:{more['window']}"
        form = replace(form, values={**form.values, "refusing": refusing, "lift": ""})
    return await _decided(visit, answer, form, "purchase.approved")


async def refuse(visit: Visit) -> Response:
    form = await read_form(visit.request, "reason")
    answer = await visit.command("POST", f"{_own(visit)}/refuse", {"reason": form.maybe("reason")}, form.key)
    return await _decided(visit, answer, form, "purchase.refused")


async def confirm(visit: Visit) -> Response:
    form = await read_form(visit.request, "digest", "charged", "refunded", "reason")
    body = {"charged": form.number("charged"), "refunded": form.number("refunded"), "reason": form.maybe("reason")}
    body["digest"] = form.text("digest")
    answer = await visit.command("POST", f"{_own(visit)}/confirm", body, form.key)
    return await _decided(visit, answer, form, "purchase.confirmed")


async def cancel(visit: Visit) -> Response:
    form = await read_form(visit.request, "digest", "charged", "refunded", "reason")
    answer = await visit.command("POST", f"{_own(visit)}/cancel", None, form.key)
    return await _decided(visit, answer, form, "purchase.ended")


async def _decided(visit: Visit, answer: Any, form: Any, notice: str) -> Response:
    return await visit.concluded(form, answer, f"{_listed(visit)}/{visit.path('id')}", notice, show=show_one)


ROUTES = (
    tenant("/purchases", show),
    tenant("/purchases.csv", lists.file(_PATH, "purchases", *view.FILTERS, days=False)),
    tenant("/purchases/{id}", show_one),
    tenant("/purchases/{id}/grant", grant, COMMAND),
    tenant("/purchases/{id}/refuse", refuse, COMMAND),
    tenant("/purchases/{id}/confirm", confirm, COMMAND),
    tenant("/purchases/{id}/cancel", cancel, COMMAND),
)
