"""Billing's own pages: an invoice that its payer pays, and the portal where a customer sees what they pay for."""

from html import escape
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dev.sandbox.stripe import collecting, intents, invoicing, money, pages, subscribing
from dev.sandbox.stripe.core import Context, Refusal, page

JSON = dict[str, Any]


@page("GET", "/invoice/{invoice}")
async def show_invoice(request: Request) -> Response:
    """Show an invoice, and a form that pays it while it is open."""
    async with request.app.state.sandbox.transaction() as ctx:
        return _invoice(ctx, request.path_params["invoice"], None)


@page("POST", "/invoice/{invoice}")
async def pay_invoice(request: Request) -> Response:
    """Pay with what was typed; a decline is shown above the form, 3-D Secure leads to the bank."""
    form = dict(parse_qsl((await request.body()).decode()))
    async with request.app.state.sandbox.transaction() as ctx:
        invoice = ctx.store.get("invoice", request.path_params["invoice"])
        if invoice is None or invoice["status"] not in ("open", "uncollectible"):
            return pages.gone()
        intent = invoicing.intent_of(ctx, invoice)
        if intent["status"] not in intents.CONFIRMABLE:
            return _invoice(ctx, invoice["id"], None)
        try:
            method, back = pages.typed_method(ctx, form), f"{ctx.base_url}/invoice/{invoice['id']}"
            refusal = collecting.pay(ctx, invoice, method, off_session=False, return_url=back)
        except Refusal as raised:
            refusal = raised
        if refusal is None and invoicing.intent_of(ctx, invoice)["status"] == "requires_action":
            return RedirectResponse(f"/3ds/{intent['id']}", 303)
        return _invoice(ctx, invoice["id"], refusal.message if refusal else None)


@page("GET", "/portal/{session}")
async def show_portal(request: Request) -> Response:
    """Show a customer what they pay for, and with what."""
    async with request.app.state.sandbox.transaction() as ctx:
        return _portal(ctx, request.path_params["session"])


@page("POST", "/portal/{session}")
async def cancel_subscription(request: Request) -> Response:
    """Cancel a subscription as the portal is set up to, or take that back."""
    form = dict(parse_qsl((await request.body()).decode()))
    async with request.app.state.sandbox.transaction() as ctx:
        session = ctx.store.get("billing_portal.session", request.path_params["session"])
        subscription = ctx.store.get("subscription", form.get("subscription", ""))
        if session is None or subscription is None or subscription["customer"] != session["customer"]:
            return pages.gone()
        how = _cancellation(ctx, session)
        if not how["enabled"] or subscription["status"] in subscribing.ENDED:
            return pages.gone()
        if form.get("action") == "keep":
            subscribing.change(ctx, subscription["id"], {"cancel_at_period_end": False})
        elif how["mode"] == "at_period_end":
            subscribing.change(ctx, subscription["id"], {"cancel_at_period_end": True})
        else:
            prorates = how["proration_behavior"] != "none"
            at_once = how["proration_behavior"] == "always_invoice"
            subscribing.cancel(ctx, subscription["id"], {"prorate": prorates, "invoice_now": at_once})
        return _portal(ctx, session["id"])


def _invoice(ctx: Context, id: str, error: str | None) -> Response:
    invoice = ctx.store.get("invoice", id)
    if invoice is None or invoice["status"] == "draft":
        return pages.gone()
    rows = "".join(
        f"<li><span>{escape(line['description'] or '')}</span>"
        f"<span>{money.written(line['amount'], line['currency'])}</span></li>"
        for line in invoice["lines"]["data"]
    )
    amount = money.written(invoice["amount_due"], invoice["currency"])
    head = f"<h1>Invoice {escape(invoice['number'])}</h1><p class='amount'>{amount}</p><ul>{rows}</ul>"
    if invoice["status"] not in ("open", "uncollectible"):
        return pages.html_page("Invoice", f"{head}<p>This invoice is {invoice['status']}.</p>")
    if invoicing.intent_of(ctx, invoice)["status"] not in intents.CONFIRMABLE:
        return pages.html_page("Invoice", f"{head}<p>The payment is on its way.</p>")
    form = pages.card_form(invoice["customer_email"] or "", None, "Pay", error)
    return pages.html_page("Invoice", head + form, status=402 if error else 200)


def _portal(ctx: Context, id: str) -> Response:
    session = ctx.store.get("billing_portal.session", id)
    customer = ctx.store.get("customer", (session or {}).get("customer") or "")
    if session is None or customer is None:
        return pages.gone()
    default = (customer.get("invoice_settings") or {}).get("default_payment_method")
    rows = "".join(
        f"<li><span>{pages.method_name(each)}</span><span class=quiet>{'default' * (each['id'] == default)}</span></li>"
        for each in ctx.store.query("payment_method", customer=customer["id"])
    )
    name = escape(customer.get("name") or customer.get("email") or customer["id"])
    back = session["return_url"]
    link = f"<a class='button plain' href='{escape(back)}'>Back</a>" if back else ""
    listed = f"<ul>{rows}</ul>" if rows else "<p class='quiet'>Nothing is stored yet.</p>"
    bought = "".join(
        _subscription(ctx, session, each)
        for each in ctx.store.query("subscription", customer=customer["id"])
        if each["status"] not in subscribing.ENDED
    )
    what = f"<p>What you pay for:</p><ul>{bought}</ul>" if bought else ""
    return pages.html_page("Billing", f"<h1>{name}</h1>{what}<p>What you pay with:</p>{listed}{link}")


def _subscription(ctx: Context, session: JSON, subscription: JSON) -> str:
    names = [
        (ctx.store.get("product", item["price"]["product"]) or {}).get("name", "")
        for item in subscription["items"]["data"]
    ]
    ends = subscription["cancel_at_period_end"]
    button = ""
    if _cancellation(ctx, session)["enabled"]:
        action, verb = ("keep", "Keep") if ends else ("cancel", "Cancel")
        button = (
            f"<form method='post'><input type='hidden' name='subscription' value='{subscription['id']}'>"
            f"<button class='plain number' name='action' value='{action}'>{verb}</button></form>"
        )
    status = "ends with its period" if ends else subscription["status"].replace("_", " ")
    return f"<li><span>{escape(', '.join(names))}</span><span class=quiet>{status}</span>{button}</li>"


def _cancellation(ctx: Context, session: JSON) -> JSON:
    configuration = ctx.store.get("billing_portal.configuration", session["configuration"])
    assert configuration is not None
    how: JSON = configuration["features"]["subscription_cancel"]
    return how
