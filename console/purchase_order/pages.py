"""Purchases of agents outside: what waits for an approval first, all of them, and one with its decision."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from starlette.responses import Response

from console import lists
from console.filters import money
from console.format import joined
from console.forms import Form, FormState, blank, read_form, written
from console.gateway import Answer, Wanted
from console.lists import ListResult
from console.noun import Json, Noun
from console.noun_page import ObjectPage, pick, search, select
from console.problems import answered
from console.routing import COMMAND
from console.spend_control.pages import meters
from console.spend_control.subjects import called
from console.texts import N_, _, gettext
from console.visit import Visit
from domain.common.access import Permission
from domain.common.ids import is_id

#: The most orders that wait, and purchases before one, that a page shows.
_WAITING, _BEFORE = 20, 10
#: The most that the API lists at once.
_MOST = 200
#: The most windows that a grant lifts.
_LIFTS = 10
_LEFT = {
    "hour": N_("%(left)s of %(amount)s left this hour for %(subject)s"),
    "day": N_("%(left)s of %(amount)s left today for %(subject)s"),
    "week": N_("%(left)s of %(amount)s left this week for %(subject)s"),
    "month": N_("%(left)s of %(amount)s left this month for %(subject)s"),
    "quarter": N_("%(left)s of %(amount)s left this quarter for %(subject)s"),
    "lifetime": N_("%(left)s of %(amount)s left in all for %(subject)s"),
}
ORDERS = Noun(
    "/purchase-orders",
    title=N_("Purchases"),
    folder="purchase_order",
    at="/purchases",
    name="item",
    change=Permission.MANAGE_BILLING,
)


def waiting(visit: Visit) -> dict[str, Wanted]:
    return {
        "waiting": (ORDERS.path, {"status": "needs_approval", "limit": _WAITING, **visit.scope}),
        "reported": (ORDERS.path, {"unconfirmed": "true", "limit": _WAITING, **visit.scope}),
    }


async def of_list(visit: Visit, found: ListResult) -> Json:
    for answer in found.extra.values():
        answered(answer)
    return {**found.extra, "naming": await visit.naming([])}


async def budgets_of(visit: Visit, order: Json, answers: Mapping[str, Answer]) -> Answer:
    """Return the open budgets that an order takes from, those of the nearest subject first, and budgets above them.

    Those of a run or of a key are left out, because an order does not name it.
    """
    found = await lists.whole(visit, "/budgets", answers["budgets"], open="true", **visit.scope)
    if not answered(found):
        return found
    attribution = answers["attribution"].body if answers["attribution"].ok else {}
    departments: Sequence[str] = ()
    if attribution.get("department_id"):
        above = await visit.ask(f"/departments/{attribution['department_id']}")
        departments = above.body["path"][::-1] if above.ok else (attribution["department_id"],)
    project = order["project_id"] or attribution.get("project_id")
    nearest = [order["agent_id"], project, *departments, order["organization_id"]]
    own = [each for each in found.body["data"] if each["subject"]["id"] in nearest]
    applied = {id for each in own for id in each["path"]}
    rows = own + [each for each in found.body["data"] if each["id"] in applied and each not in own]
    rows.sort(key=lambda each: nearest.index(each["subject"]["id"]) if each in own else len(nearest))
    return replace(found, body={**found.body, "data": rows})


def refusing(order: Json, form: FormState) -> tuple[str, ...]:
    """Return the windows of budgets that refuse a purchase, each `budget:window`: at first, and those found since."""
    decision = order["decision"]
    first = [f"{decision['budget_id']}:{decision['window']}"] if decision["budget_id"] and decision["window"] else []
    since = (each for each in form.value("refusing").split() if is_id(each.partition(":")[0], "ctl"))
    return tuple(dict.fromkeys((*first, *since)))[:_LIFTS]


def lifted(windows: Sequence[str], budgets: Answer) -> dict[str, str]:
    """Say what is left in each window; one of a limit is no budget's, and cannot be lifted."""
    known = {
        f"{budget['id']}:{limit['window']}": (budget, limit)
        for budget in (budgets.body["data"] if budgets.ok else ())
        for limit in budget["limits"]
    }
    found = {}
    for each in windows:
        if each in known:
            budget, limit = known[each]
            left, amount = (money(limit["operating"][name], budget["currency"]) for name in ("remaining", "amount"))
            values = {"left": left, "amount": amount, "subject": called(budget["subject"])}
            found[each] = gettext(_LEFT[limit["window"]]) % values
    return found


async def show(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    """Show one purchase: what was decided and why, the attempts to pay, and the forms of those who approve."""
    order, shown, more = await ORDERS.find(visit), form or blank(), dict[str, Any]()
    if order["status"] == "needs_approval":
        of_agent = {"agent_id": order["agent_id"], "to": order["created_at"], "limit": _BEFORE, **visit.scope}
        answers = await visit.ask_all(
            budgets=("/budgets", {"open": "true", "limit": _MOST, **visit.scope}),
            attribution=(f"/agents/{order['agent_id']}/attribution", {}),
            before=(ORDERS.path, of_agent),
        )
        answered(answers["before"])
        budgets = await budgets_of(visit, order, answers)
        lifts = lifted(refusing(order, shown), budgets)
        lift = _("Exceed the budget: %(budgets)s", budgets=joined(tuple(lifts.values()))) if lifts else ""
        more = {"budgets": budgets, "before": answers["before"], "refusing": " ".join(lifts), "lift": lift}
    title, crumbs, here = order["item"], ORDERS.crumbs(visit), ORDERS.here(visit)
    page = ObjectPage(title=title, crumbs=crumbs, here=here, form=shown)
    more |= {
        "is_own": order["principal"] == visit.me.principal,
        "naming": await visit.naming([order["decision"]], "budget_id"),
        "written": written,
        "meters_of": meters,
        "called": called,
    }
    return await visit.show("purchase_order/page.html", page, {"it": order, **more}, status)


async def _decide(visit: Visit, form: Form, act: str, body: Json | None, notice: str) -> Response:
    answer = await visit.command("POST", f"{ORDERS.own(visit)}/{act}", body, form.key)
    more = answer.problem.more if answer.problem else {}
    if more.get("window") and more.get("pool") == "operating":
        # The page then offers to lift the window that has refused as well.
        found = f"{form.text('refusing')} {more['control_id']}:{more['window']}"
        form = replace(form, values={**form.values, "refusing": found, "lift": ""})
    return await visit.concluded(form, answer, ORDERS.here(visit), notice, show=show)


async def grant(visit: Visit) -> Response:
    form = await read_form(visit.request, "digest", "reason", "reserve", "refusing", "lift")
    body: dict[str, Any] = {"digest": form.text("digest"), "reason": form.maybe("reason")}
    if form.text("reserve"):
        body["pool"] = "reserve"
    if form.text("lift"):
        pairs = (each.partition(":") for each in form.text("refusing").split())
        body["lifts"] = [{"budget_id": budget_id, "window": window} for budget_id, _, window in pairs]
    return await _decide(visit, form, "grant", body, "purchase.approved")


async def refuse(visit: Visit) -> Response:
    form = await read_form(visit.request, "reason")
    return await _decide(visit, form, "refuse", {"reason": form.maybe("reason")}, "purchase.refused")


async def confirm(visit: Visit) -> Response:
    form = await read_form(visit.request, "digest", "charged", "refunded", "reason")
    body: dict[str, Any] = {name: form.number(name) for name in ("charged", "refunded")}
    body |= {"reason": form.maybe("reason"), "digest": form.text("digest")}
    return await _decide(visit, form, "confirm", body, "purchase.confirmed")


async def cancel(visit: Visit) -> Response:
    form = await read_form(visit.request, "digest", "charged", "refunded", "reason")
    return await _decide(visit, form, "cancel", None, "purchase.ended")


ORDERS.list(
    select("status", N_("Status"), "order"),
    pick("agent_id", N_("Agent")),
    search(N_("Item or vendor")),
    extra=waiting,
    values=of_list,
    create="",
)
ORDERS.add(ORDERS.one, show)
for _act, _command in (("grant", grant), ("refuse", refuse), ("confirm", confirm), ("cancel", cancel)):
    ORDERS.add(f"{ORDERS.one}/{_act}", _command, *COMMAND)
ROUTES = ORDERS.routes
