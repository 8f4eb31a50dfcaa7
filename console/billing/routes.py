"""The pages of billing."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from starlette.responses import RedirectResponse, Response

from console.billing import change as changing, plans, view
from console.filters import amount
from console.forms import FormState, blank, read_form, with_summary
from console.gateway import Answer
from console.noun import ObjectPage
from console.payment.pages import leading
from console.problems import Reaction, reaction_to
from console.routing import COMMAND, tenant
from console.status import status_of
from console.visit import Visit
from console.widgets import Link
from domain.billing.subscription.state import SubscriptionStatus
from domain.common.access import Permission

_PATH = "/billing/subscription"
#: So many of the latest invoices are shown.
_INVOICES = 5
_ASKED = ("cancel", "end", "resume")
_DONE = {"cancel": "subscription.cancelled", "end": "subscription.ended", "resume": "subscription.resumed"}


def _here(visit: Visit) -> str:
    return f"{visit.base}/billing"


async def show(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    answers = await visit.ask_all(
        subscription=(_PATH, visit.scope),
        entitlements=("/billing/entitlements", visit.scope),
        config=("/billing/config", {}),
        upcoming=("/billing/invoices/upcoming", visit.scope),
        invoices=("/billing/invoices", {"limit": _INVOICES, **visit.scope}),
    )
    may_change = visit.may(Permission.MANAGE_BILLING)
    now = datetime.now(UTC)
    # Who comes back from the provider's page may have paid; the books say so a moment later.
    came_back = "returned" in visit.request.query_params
    page = view.page(
        answers, form or blank(), visit.choices.prefs, visit.base, now, may_change=may_change, came_back=came_back
    )
    return await visit.render("billing/page.html", page, status)


async def compare(visit: Visit) -> Response:
    answers = await visit.ask_all(
        config=("/billing/config", {}),
        subscription=(_PATH, visit.scope),
        terms=(f"/organizations/{visit.org_id}/billing-terms", {}),
        entitlements=("/billing/entitlements", visit.scope),
    )
    page = plans.page(
        answers,
        visit.choices.prefs,
        _here(visit),
        may_change=visit.may(Permission.MANAGE_BILLING),
        interval=visit.chosen("interval").get("interval", ""),
    )
    return await visit.render("billing/plans.html", page)


async def ask_to_change(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.MANAGE_BILLING)
    names = ("plan", "interval", "seats")
    chosen = {name: form.value(name) for name in names if form.value(name)} if form else visit.chosen(*names)
    preview: dict[str, Any] = {"preview": (f"{_PATH}/preview", chosen)} if chosen.get("plan") else {}
    answers = await visit.ask_all(
        config=("/billing/config", {}),
        subscription=(_PATH, {}),
        terms=(f"/organizations/{visit.org_id}/billing-terms", {}),
        methods=("/billing/payment-methods", {}),
        **preview,
    )
    why = _against(answers.get("preview"))
    page = changing.page(answers, chosen, form or blank(), visit.choices.prefs, _here(visit), why)
    return await visit.render("billing/change.html", page, 422 if why and status == 200 else status)


def _against(preview: Answer | None) -> str:
    """Return what the API says against a change; empty where nothing, and where there is nothing to change."""
    if preview is None or preview.problem is None or preview.status == 404:
        return ""
    if reaction_to(preview.problem) in {Reaction.FIELDS, Reaction.CHANGED, Reaction.LIMIT}:
        errors = [message for _, message in preview.problem.errors]
        return errors[0] if errors else preview.problem.detail
    return ""


async def change(visit: Visit) -> Response:
    """Subscribe, or change the plan; which of the two, the form says by what was shown."""
    form = await read_form(visit.request, "plan", "interval", "seats", "max_amount", "currency", "most", "by", "trial")
    body: dict[str, Any] = {"plan": form.text("plan"), "interval": form.text("interval") or "month"}
    if (seats := form.text("seats")).isdecimal():
        body["seats"] = int(seats)
    begins = form.maybe("max_amount") is None
    if begins:
        named = {"currency": form.maybe("currency"), "max_amount": form.maybe("most")}
        body |= {name: value for name, value in named.items() if value is not None}
        if form.text("by") == changing.PAGE:
            back = visit.address_of("/billing?returned=1")
            body |= {"checkout": True} | ({"return_url": back} if back else {})
        body |= {"trial": True} if form.text("trial") else {}
    else:
        body["max_amount"] = form.text("max_amount")
    answer = await visit.command("POST" if begins else "PUT", _PATH, body, form.key)
    if answer.ok:
        if _payer_page(answer.body):
            return RedirectResponse(f"{_here(visit)}/go", 303)
        return visit.done(_here(visit), "subscription.begun" if begins else "subscription.changed", answer)

    async def again(visit: Visit, shown: FormState, status: int) -> Response:
        if status == 402 and answer.problem is not None:
            shown = with_summary(shown, answer.problem.detail)
        return await ask_to_change(visit, shown, status)

    return await visit.refused(form, answer, again)


def _payer_page(held: Mapping[str, Any]) -> str:
    """Return the provider's page where what is due for a subscription is paid; empty if nothing is awaited there."""
    return str(held["checkout_url"] or held["pay_url"] or "")


async def go(visit: Visit) -> Response:
    """Lead to the provider's page, or back where nothing is awaited there."""
    visit.need(Permission.MANAGE_BILLING)
    answers = await visit.ask_all(subscription=(_PATH, visit.scope), config=("/billing/config", {}))
    held = answers["subscription"].need()
    if not (url := _payer_page(held)):
        return RedirectResponse(_here(visit), 303)
    here, price = _here(visit), amount(held["price"]["amount"], held["price"]["currency"])
    title = f"Pay for {plans.title_of(held['plan'], answers['config'])}"
    crumbs = (Link(label="Billing", href=here),)
    page = ObjectPage(title=title, crumbs=crumbs, base=visit.base, here=here, form=blank())
    return await leading(visit, page, "stripe", url, price, status_of("subscription", held["status"]))


async def ask(visit: Visit, way: str, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.MANAGE_BILLING)
    answers = await visit.ask_all(subscription=(_PATH, {}), config=("/billing/config", {}))
    held = answers["subscription"].need()
    if way not in plans.commands_of(held):
        if form is None:
            form = with_summary(blank(), "The subscription's status does not allow this. Nothing was done.")
        return await show(visit, form, 409)
    page = view.asking(held, answers["config"], way, form or blank(), visit.choices.prefs, _here(visit))
    return await visit.render("parts/confirmation.html", page, status)


async def command(visit: Visit, way: str) -> Response:
    form = await read_form(visit.request)
    if way == "resume":
        answer = await visit.command("POST", f"{_PATH}/resume", None, form.key)
    else:
        query = {"at_period_end": "true" if way == "cancel" else "false"}
        answer = await visit.command("DELETE", _PATH, None, form.key, query=query)
    if answer.ok:
        # What the provider has not confirmed is not over.
        goes_on = way == "end" and answer.body["status"] != SubscriptionStatus.ENDED
        return visit.done(_here(visit), "subscription.changed" if goes_on else _DONE[way], answer)
    return await visit.refused(form, answer, partial(_again, way=way))


async def _again(visit: Visit, shown: FormState, status: int, way: str) -> Response:
    return await ask(visit, way, shown, status)


ROUTES = (
    tenant("/billing", show),
    tenant("/billing/plans", compare),
    tenant("/billing/change", ask_to_change),
    tenant("/billing/change", change, COMMAND),
    tenant("/billing/go", go),
    *(tenant(f"/billing/{way}", partial(ask, way=way)) for way in _ASKED),
    *(tenant(f"/billing/{way}", partial(command, way=way), COMMAND) for way in _ASKED),
)
