"""Invoices over the API: made, finalized, paid, voided, given up, read and listed; previews, lines and payments."""

from typing import Any

from dev.sandbox.stripe import (
    cards,
    clocks,
    collecting,
    invoice_lines,
    invoicing,
    lists,
    money,
    periods,
    renewing,
    subscribing,
    taxing,
)
from dev.sandbox.stripe.core import Context, Refusal, expansion, operation
from dev.sandbox.stripe.errors import invalid, missing
from dev.sandbox.stripe.operations import customers, prices
from dev.sandbox.stripe.parameters import demand_only, merge
from dev.sandbox.stripe.periods import DAY

JSON = dict[str, Any]

TERMS = (
    "auto_advance",
    "collection_method",
    "days_until_due",
    "default_payment_method",
    "description",
    "due_date",
    "footer",
    "metadata",
)
ITEM = (
    "amount",
    "description",
    "discountable",
    "metadata",
    "period",
    "pricing",
    "quantity",
    "tax_rates",
    "unit_amount_decimal",
)
CHANGE = (
    "cancel_at",
    "cancel_at_period_end",
    "default_tax_rates",
    "items",
    "proration_behavior",
    "proration_date",
    "trial_end",
    "billing_cycle_anchor",
)

NEW = ("default_tax_rates", "discounts", "items", "proration_behavior", "trial_end")


@operation("post", "/v1/invoices")
async def create(ctx: Context, params: JSON) -> JSON:
    """Make a draft, with the items that wait for an invoice if they are to be included."""
    first = ("currency", "customer", "default_tax_rates", "pending_invoice_items_behavior", "subscription")
    demand_only(params, "an invoice", *TERMS, *first)
    of = (
        subscribing.get(ctx, params["subscription"], param="subscription", status=400)
        if "subscription" in params
        else None
    )
    customer = customers.get(ctx, params.get("customer") or (of or {}).get("customer", ""), param="customer")
    clocks.demand_ready(ctx, customer)
    currency = money.check_currency(params.get("currency") or (of or {}).get("currency") or "usd")
    terms = {name: params[name] for name in TERMS if params.get(name) not in (None, "")}
    terms |= {"currency": currency, "subscription": of, "auto_advance": params.get("auto_advance", False)}
    terms |= _due(ctx, customer, params)
    terms["default_tax_rates"] = taxing.rates(ctx, params.get("default_tax_rates") or [], param="default_tax_rates")
    invoice = invoicing.draft(ctx, customer, "manual", terms)
    if params.get("pending_invoice_items_behavior", "exclude") == "include" or of is not None:
        id = of["id"] if of else None
        for item in invoice_lines.pending(ctx, customer["id"], subscription=id, currency=currency):
            invoice_lines.add_item(ctx, invoice, item)
    invoicing.store_draft(ctx, invoice, finalizes=True)
    return invoice


@operation("post", "/v1/invoices/create_preview")
async def create_preview(ctx: Context, params: JSON) -> JSON:
    """Return the invoice that a subscription, its change or a new one would have next; nothing of it is kept."""
    known = ("currency", "customer", "discounts", "preview_mode", "subscription", "subscription_details")
    demand_only(params, "a preview", *known)
    if params.get("preview_mode", "next") != "next":
        raise invalid("This sandbox previews the next invoice only.", param="preview_mode")
    details = params.get("subscription_details") or {}
    demand_only(details, "a preview's subscription_details", *CHANGE, "cancel_now", "start_date")
    with ctx.undone():
        invoice = _previewed(ctx, params, details)
    if invoice is None:
        raise invalid("There is no upcoming invoice.", code="invoice_upcoming_none", status=404)
    return renewing.upcoming(invoice)


@operation("get", "/v1/invoices/{invoice}")
async def retrieve(ctx: Context, _: JSON, invoice: str) -> JSON:
    """Return an invoice."""
    return invoicing.get(ctx, invoice)


@operation("post", "/v1/invoices/{invoice}")
async def update(ctx: Context, params: JSON, invoice: str) -> JSON:
    """Change an invoice: most of it only while it is a draft."""
    demand_only(params, "an invoice that is there", *TERMS)
    found = invoicing.get(ctx, invoice)
    if found["status"] != "draft" and set(params) - {"auto_advance", "default_payment_method", "metadata"}:
        message = f"Finalized invoices cannot be changed in this way: the status is {found['status']}."
        raise invalid(message, code="invoice_not_editable")
    previous = merge(found, params, *(name for name in TERMS if name not in ("metadata", "days_until_due")))
    found |= _due(ctx, found, params) if "days_until_due" in params else {}
    if previous.keys() & {"auto_advance"} and found["status"] == "draft":
        invoicing.advance(ctx, found)
    ctx.store.put(found)
    ctx.emit("invoice.updated", found, previous)
    return found


@operation("delete", "/v1/invoices/{invoice}")
async def delete(ctx: Context, _: JSON, invoice: str) -> JSON:
    """Delete a draft that is no subscription's; its items wait again."""
    found = invoicing.get(ctx, invoice)
    if found["status"] != "draft" or invoicing.subscription_of(found):
        raise invalid("Only drafts without a subscription can be deleted.", code="invoice_not_editable")
    invoice_lines.drop_lines(ctx, found)
    ctx.store.delete("invoice", invoice)
    ctx.emit("invoice.deleted", found)
    return {"id": invoice, "object": "invoice", "deleted": True}


@operation("post", "/v1/invoices/{invoice}/finalize")
async def finalize(ctx: Context, params: JSON, invoice: str) -> JSON:
    """Open a draft; it is charged within an hour where it advances by itself."""
    found = invoicing.get(ctx, invoice)
    found["auto_advance"] = params.get("auto_advance", found["auto_advance"])
    invoicing.finalize(ctx, found)
    found = invoicing.get(ctx, invoice)
    if found["status"] == "open" and found["auto_advance"] and found["collection_method"] == "charge_automatically":
        found["next_payment_attempt"] = clocks.now(ctx, found) + invoicing.DRAFT_SECONDS
        ctx.store.put(found)
        clocks.put_off(ctx, found, found["next_payment_attempt"], "invoices.retry", invoice=invoice, attempt=0)
    return found


@operation("post", "/v1/invoices/{invoice}/pay")
async def pay(ctx: Context, params: JSON, invoice: str) -> JSON:
    """Charge an invoice now, or mark it as paid by other means."""
    demand_only(params, "the payment of an invoice", "off_session", "paid_out_of_band", "payment_method")
    found = invoicing.get(ctx, invoice)
    if params.get("paid_out_of_band"):
        collecting.pay_out_of_band(ctx, found)
        return invoicing.get(ctx, invoice)
    method = cards.resolve(ctx, params["payment_method"]) if "payment_method" in params else None
    refusal = collecting.pay(ctx, found, method, off_session=params.get("off_session", True))
    if refusal is not None:
        raise refusal
    paid = invoicing.get(ctx, invoice)
    if paid["status"] == "open" and invoicing.intent_of(ctx, paid)["status"] == "requires_action":
        message = "This payment requires additional user action before it can be completed successfully."
        raise Refusal(402, "card_error", message, code="invoice_payment_intent_requires_action", keep=True)
    return paid


@operation("post", "/v1/invoices/{invoice}/send")
async def send(ctx: Context, _: JSON, invoice: str) -> JSON:
    """Finalize a draft that is sent to its payer, and notify of it; the sandbox sends no mail."""
    found = invoicing.get(ctx, invoice)
    if found["collection_method"] != "send_invoice":
        raise invalid("Only invoices with the collection method `send_invoice` are sent.", param="invoice")
    if found["status"] == "draft":
        invoicing.finalize(ctx, found)
    found = invoicing.get(ctx, invoice)
    ctx.emit("invoice.sent", found)
    return found


@operation("post", "/v1/invoices/{invoice}/void")
async def void(ctx: Context, _: JSON, invoice: str) -> JSON:
    """Void an unpaid invoice."""
    invoicing.void(ctx, invoicing.get(ctx, invoice))
    return invoicing.get(ctx, invoice)


@operation("post", "/v1/invoices/{invoice}/mark_uncollectible")
async def mark_uncollectible(ctx: Context, _: JSON, invoice: str) -> JSON:
    """Give an invoice up."""
    invoicing.mark_uncollectible(ctx, invoicing.get(ctx, invoice))
    return invoicing.get(ctx, invoice)


@operation("get", "/v1/invoices")
async def list_all(ctx: Context, params: JSON) -> JSON:
    """List invoices, newest first."""
    known = ("created", "ending_before", "limit", "starting_after", "subscription")
    fields = ("collection_method", "customer", "status")
    demand_only(params, "the list of invoices", *known, *fields)
    chosen = {"parent.subscription_details.subscription": params["subscription"]} if "subscription" in params else {}
    return lists.answer(ctx, "invoice", params, "/v1/invoices", *fields, **chosen)


@operation("get", "/v1/invoices/{invoice}/lines")
async def list_lines(ctx: Context, params: JSON, invoice: str) -> JSON:
    """List the lines of an invoice, in order."""
    lines = invoicing.get(ctx, invoice)["lines"]["data"]
    start = 1 + next((at for at, each in enumerate(lines) if each["id"] == params.get("starting_after")), -1)
    page = lines[start : start + lists.limit_of(params)]
    return lists.whole(page, f"/v1/invoices/{invoice}/lines") | {"has_more": start + len(page) < len(lines)}


@operation("get", "/v1/invoice_payments/{payment}")
async def retrieve_payment(ctx: Context, _: JSON, payment: str) -> JSON:
    """Return a payment of an invoice."""
    found: JSON | None = ctx.store.get("invoice_payment", payment)
    if found is None:
        raise missing("invoice_payment", payment)
    return found


@operation("get", "/v1/invoice_payments")
async def list_payments(ctx: Context, params: JSON) -> JSON:
    """List payments of invoices, newest first, also by their PaymentIntent."""
    of = params.get("payment") or {}
    chosen = {f"payment.{name}": value for name, value in of.items()}
    return lists.answer(ctx, "invoice_payment", params, "/v1/invoice_payments", "invoice", "status", **chosen)


@operation("post", "/v1/invoiceitems")
async def create_item(ctx: Context, params: JSON) -> JSON:
    """Add an item to a draft, or have it wait for the customer's next invoice."""
    demand_only(params, "an invoice item", *ITEM, "currency", "customer", "invoice", "subscription")
    invoice = invoicing.get(ctx, params["invoice"], status=400) if "invoice" in params else None
    customer = customers.get(ctx, params.get("customer") or (invoice or {}).get("customer", ""), param="customer")
    clocks.demand_ready(ctx, customer)
    if invoice is not None and invoice["status"] != "draft":
        message = f"Items can only be added to a draft; the status of this invoice is {invoice['status']}."
        raise invalid(message, code="invoice_not_editable", param="invoice")
    if "subscription" in params:
        subscribing.get(ctx, params["subscription"], param="subscription", status=400)
    item = invoice_lines.item(ctx, customer, _amount(ctx, params) | _about(ctx, customer, params))
    if invoice is not None:
        if item["currency"] != invoice["currency"]:
            raise invalid(f"This invoice is in {invoice['currency']}.", param="currency")
        invoice_lines.add_item(ctx, invoice, item)
        invoicing.refresh(ctx, invoice)
        ctx.store.put(invoice)
        ctx.emit("invoice.updated", invoice)
    return _item(ctx, item["id"])


@operation("get", "/v1/invoiceitems/{item}")
async def retrieve_item(ctx: Context, _: JSON, item: str) -> JSON:
    """Return an item."""
    return _item(ctx, item)


@operation("delete", "/v1/invoiceitems/{item}")
async def delete_item(ctx: Context, _: JSON, item: str) -> JSON:
    """Delete an item that waits for an invoice."""
    found = _item(ctx, item)
    if found["invoice"] is not None:
        raise invalid("This item is on an invoice.", code="invoice_not_editable")
    ctx.store.delete("invoiceitem", item)
    ctx.emit("invoiceitem.deleted", found)
    return {"id": item, "object": "invoiceitem", "deleted": True}


@operation("get", "/v1/invoiceitems")
async def list_items(ctx: Context, params: JSON) -> JSON:
    """List items, newest first: `pending` ones wait for an invoice."""
    if "pending" not in params:
        return lists.answer(ctx, "invoiceitem", params, "/v1/invoiceitems", "customer", "invoice")
    if not params["pending"]:
        raise invalid("This sandbox lists all items, or those that are pending.", param="pending")
    return lists.answer(ctx, "invoiceitem", params, "/v1/invoiceitems", "customer", invoice=None)


@expansion("invoice", "payments")
def payments(ctx: Context, invoice: JSON) -> JSON:
    """Return the list of payments that an invoice is answered with when it is asked for."""
    return invoicing.payments(ctx, invoice)


@expansion("invoice", "confirmation_secret")
def confirmation_secret(ctx: Context, invoice: JSON) -> JSON | None:
    """Return what a front end confirms the payment of an open invoice with."""
    if invoicing.payment_of(ctx, invoice) is None:
        return None
    return {"client_secret": invoicing.intent_of(ctx, invoice)["client_secret"], "type": "payment_intent"}


def _previewed(ctx: Context, params: JSON, details: JSON) -> JSON | None:
    behavior = {"payment_behavior": "default_incomplete"}
    change = {name: details[name] for name in CHANGE if name in details}
    change |= {"discounts": params["discounts"]} if "discounts" in params else {}
    if "subscription" not in params:
        if "customer" not in params:
            raise invalid("Name a `customer` or a `subscription`.", param="customer", code="parameter_missing")
        demand_only(change, "a preview of a new subscription", *NEW)
        made = subscribing.start(ctx, {"customer": params["customer"], **change, **behavior})
        return _as_draft(ctx, made["latest_invoice"])
    subscription = subscribing.get(ctx, params["subscription"], param="subscription")
    former = subscription["latest_invoice"]
    if details.get("cancel_now"):
        subscribing.cancel(ctx, subscription["id"], {"prorate": True, "invoice_now": True})
    elif change:
        subscribing.change(ctx, subscription["id"], change | behavior)
    latest = subscribing.get(ctx, subscription["id"])["latest_invoice"]
    if latest != former:
        return _as_draft(ctx, latest)
    return None if subscription["status"] in subscribing.ENDED else renewing.preview(ctx, subscription["id"])


def _as_draft(ctx: Context, id: str) -> JSON:
    """Return an invoice that was only made for a preview as it was before it was finalized."""
    invoice = invoicing.get(ctx, id)
    due = invoice["amount_due"]
    invoice |= {"amount_paid": 0, "amount_remaining": due, "attempted": False, "hosted_invoice_url": None}
    invoice["status_transitions"] = dict.fromkeys(invoice["status_transitions"])
    return invoice | {"effective_at": None}


def _due(ctx: Context, of: JSON, params: JSON) -> JSON:
    if params.get("collection_method") == "send_invoice" and not {"days_until_due", "due_date"} & set(params):
        raise invalid("Missing required param: days_until_due.", param="days_until_due", code="parameter_missing")
    if "days_until_due" in params:
        return {"due_date": clocks.now(ctx, of) + params["days_until_due"] * DAY}
    return {"due_date": params.get("due_date")}


def _amount(ctx: Context, params: JSON) -> JSON:
    quantity = params.get("quantity", 1)
    if "pricing" in params:
        price = prices.get(ctx, params["pricing"].get("price", ""), param="pricing[price]")
        if price["type"] != "one_time":
            raise invalid("An invoice item has a price without an interval.", param="pricing[price]")
        amount = periods.priced(price, quantity)
        return {"amount": amount, "currency": price["currency"], "price": price, "quantity": quantity}
    if "currency" not in params:
        raise invalid("Missing required param: currency.", param="currency", code="parameter_missing")
    currency = money.check_currency(params["currency"])
    if ("amount" in params) == ("unit_amount_decimal" in params):
        raise invalid("Name either `amount` or `unit_amount_decimal`.", param="amount", code="parameter_missing")
    if "amount" in params:
        if "quantity" in params:
            raise invalid("A quantity goes with a price, not with an amount.", param="quantity")
        return {"amount": params["amount"], "currency": currency}
    unit = {"unit_amount_decimal": params["unit_amount_decimal"], "transform_quantity": None}
    return {"amount": periods.priced(unit, quantity), "currency": currency, "quantity": quantity}


def _about(ctx: Context, customer: JSON, params: JSON) -> JSON:
    now, same = clocks.now(ctx, customer), ("description", "discountable", "metadata", "subscription")
    return {name: params[name] for name in same if name in params} | {
        "date": now,
        "period": params.get("period", {"start": now, "end": now}),
        "tax_rates": taxing.rates(ctx, params.get("tax_rates") or [], param="tax_rates"),
    }


def _item(ctx: Context, id: str) -> JSON:
    item: JSON | None = ctx.store.get("invoiceitem", id)
    if item is None:
        raise missing("invoiceitem", id, param="item")
    return item
