"""Collection of invoices: off session, by retries, or paid by a person.

Facts from docs.stripe.com/billing/revenue-recovery. Every change of an invoice's PaymentIntent changes the invoice. A
charge that fails is tried again after three, five and seven days, unless `_control/billing` says otherwise.
"""

from typing import Any

from dev.sandbox.stripe import clocks, intents, invoicing
from dev.sandbox.stripe.core import Context, Refusal, control, task
from dev.sandbox.stripe.errors import invalid
from dev.sandbox.stripe.periods import DAY

JSON = dict[str, Any]

RETRY_DAYS = [3, 5, 7]
AFTER_RETRIES = ("cancel", "unpaid", "past_due")


def collect(ctx: Context, id: str) -> Refusal | None:
    """Charge the stored method of an open invoice without its payer, and return the refusal if that failed."""
    invoice = invoicing.get(ctx, id)
    if invoice["status"] != "open" or invoice["collection_method"] != "charge_automatically":
        return None
    invoice |= {"attempted": True, "attempt_count": invoice["attempt_count"] + 1, "next_payment_attempt": None}
    ctx.store.put(invoice)
    method = default_method(ctx, invoice)
    if method is None:
        _fail(ctx, invoice)
        message = "This customer has no attached payment source or default payment method."
        return invalid(message, code="resource_missing")
    intent = invoicing.intent_of(ctx, invoice)
    if intent["status"] not in intents.CONFIRMABLE:
        return None
    try:
        return intents.confirm(ctx, intent, method, off_session=True, by_invoice=True)
    except Refusal as refusal:
        _fail(ctx, invoice)
        return refusal


def pay(
    ctx: Context, invoice: JSON, method: JSON | None, *, off_session: bool, return_url: str | None = None
) -> Refusal | None:
    """Try to pay an open invoice with a method, the stored one where none is given, on request."""
    if invoice["status"] == "draft":
        invoicing.finalize(ctx, invoice)
        invoice = invoicing.get(ctx, invoice["id"])
        if invoice["status"] == "paid":
            return None
    if invoice["status"] not in ("open", "uncollectible"):
        code = "invoice_already_paid" if invoice["status"] == "paid" else "invoice_not_editable"
        raise invalid(f"This invoice cannot be paid: its status is {invoice['status']}.", code=code)
    method = method or default_method(ctx, invoice)
    if method is None:
        message = (
            "There is no payment method to pay this invoice with: neither it, its subscription nor its customer has a "
            "default one. Pass a `payment_method`."
        )
        raise invalid(message, code="resource_missing", param="payment_method")
    return intents.confirm(
        ctx, invoicing.intent_of(ctx, invoice), method, off_session=off_session, by_invoice=True, return_url=return_url
    )


def pay_out_of_band(ctx: Context, invoice: JSON) -> None:
    """Mark an invoice as paid by other means."""
    if invoice["status"] == "draft":
        invoicing.finalize(ctx, invoice)
    if invoice["status"] not in ("open", "uncollectible"):
        raise invalid(f"This invoice cannot be paid: its status is {invoice['status']}.", code="invoice_already_paid")
    invoicing.drop_payment(ctx, invoice)
    invoice["amount_paid_off_stripe"] = invoice["amount_remaining"]
    invoicing.settle(ctx, invoice, invoice["amount_remaining"])


def default_method(ctx: Context, owner: JSON) -> JSON | None:
    """Return what an invoice or a subscription is charged to: its own default, its subscription's, its customer's."""
    subscription = (
        ctx.store.get("subscription", invoicing.subscription_of(owner) or "") if owner["object"] == "invoice" else None
    )
    customer = ctx.store.get("customer", owner["customer"]) or {}
    for id in (
        owner["default_payment_method"],
        (subscription or {}).get("default_payment_method"),
        (customer.get("invoice_settings") or {}).get("default_payment_method"),
        customer.get("default_source"),
    ):
        method = ctx.store.get("payment_method", id or "")
        if method is not None and method["customer"] == owner["customer"]:
            return method
    return None


def follow(ctx: Context, intent: JSON) -> None:
    """Move the invoice of an intent, if it has one, to where the intent has moved."""
    link = ctx.store.get("sandbox.invoice", f"{intent['id']}:invoice")
    invoice = ctx.store.get("invoice", link["invoice"]) if link else None
    if invoice is None or invoice["status"] not in ("open", "uncollectible"):
        return
    if intent["status"] in ("succeeded", "requires_action", "processing") or intent["last_payment_error"]:
        invoice |= {"attempted": True, "attempt_count": max(1, invoice["attempt_count"])}
    if intent["status"] == "succeeded":
        _pay_by_intent(ctx, invoice, intent)
    elif intent["status"] == "requires_action":
        ctx.store.put(invoice)
        ctx.emit("invoice.payment_action_required", invoice)
        _fail(ctx, invoice)
    elif intent["status"] == "requires_payment_method" and intent["last_payment_error"]:
        _fail(ctx, invoice)
    elif intent["status"] == "processing":
        ctx.store.put(invoice)
        ctx.emit("invoice.updated", invoice)
        invoicing.lead(ctx, invoice, "processing")


intents.FOLLOWERS.append(follow)


def collection(ctx: Context) -> JSON:
    """Return how failed charges are retried, and what the subscription becomes after the last retry."""
    usual = {"retry_days": RETRY_DAYS, "after_retries": "cancel"}
    return usual | (ctx.store.setting("billing") or {})


@control("billing")
async def set_collection(ctx: Context, body: JSON) -> JSON:
    """Set `retry_days` between the attempts, and `after_retries`: `cancel`, `unpaid` or `past_due`."""
    days, end = body.get("retry_days", RETRY_DAYS), body.get("after_retries", "cancel")
    if not isinstance(days, list) or not all(isinstance(each, int) and each > 0 for each in days):
        raise invalid("Days are a list of whole numbers above 0.", param="retry_days")
    if end not in AFTER_RETRIES:
        raise invalid(f"A subscription ends as one of {', '.join(AFTER_RETRIES)}.", param="after_retries")
    ctx.store.keep("billing", {"retry_days": days, "after_retries": end})
    return collection(ctx)


@task("invoices.finalize")
async def finalize_in_time(ctx: Context, invoice: str, at: int) -> None:
    """Finalize a draft at its time, and charge it where that is how it is collected."""
    stored = ctx.store.get("invoice", invoice)
    if stored is None or stored["status"] != "draft" or stored["automatically_finalizes_at"] != at:
        return
    if (ctx.store.get("customer", stored["customer"]) or {"deleted": True}).get("deleted"):
        return
    invoicing.finalize(ctx, stored)
    if stored["collection_method"] == "send_invoice" and stored["status"] == "open":
        ctx.emit("invoice.sent", stored)
    collect(ctx, invoice)


@task("invoices.retry")
async def retry(ctx: Context, invoice: str, attempt: int) -> None:
    """Charge an invoice again, unless it was paid or given up in the meantime."""
    stored = ctx.store.get("invoice", invoice)
    if stored is not None and stored["next_payment_attempt"] is not None and stored["attempt_count"] == attempt:
        collect(ctx, invoice)


@task("invoices.overdue")
async def overdue(ctx: Context, invoice: str) -> None:
    """Tell that an invoice which was sent has not been paid in time."""
    stored = ctx.store.get("invoice", invoice)
    if stored is not None and stored["status"] == "open":
        ctx.emit("invoice.overdue", stored)
        invoicing.lead(ctx, stored, "failed")


def _pay_by_intent(ctx: Context, invoice: JSON, intent: JSON) -> None:
    payment = invoicing.payment_of(ctx, invoice)
    assert payment is not None
    payment |= {"amount_paid": intent["amount_received"], "status": "paid"}
    payment["status_transitions"]["paid_at"] = clocks.now(ctx, invoice)
    ctx.store.put(payment)
    ctx.emit("invoice_payment.paid", payment)
    invoicing.settle(ctx, invoice, intent["amount_received"])


def _fail(ctx: Context, invoice: JSON) -> None:
    """Notify of an attempt that failed, and put the next one off as far as there is one."""
    outcome = "failed"
    retries = invoice["auto_advance"] and invoice["billing_reason"] != "subscription_create"
    if retries and invoice["status"] == "open" and invoice["next_payment_attempt"] is None:
        days, attempt = collection(ctx)["retry_days"], invoice["attempt_count"]
        if attempt <= len(days):
            due_at = clocks.now(ctx, invoice) + days[attempt - 1] * DAY
            invoice["next_payment_attempt"] = due_at
            clocks.put_off(ctx, invoice, due_at, "invoices.retry", invoice=invoice["id"], attempt=attempt)
        else:
            invoice["auto_advance"] = False
            outcome = "exhausted"
    ctx.store.put(invoice)
    ctx.emit("invoice.payment_failed", invoice)
    invoicing.lead(ctx, invoice, outcome)
