"""Invoices: `draft → open → paid`, or `void` or `uncollectible`, and how the money for one is collected.

Facts from docs.stripe.com/invoicing/overview and docs.stripe.com/billing/revenue-recovery. An invoice is paid by the
PaymentIntent that it gets when it is finalized; whatever moves that intent, moves the invoice. A charge that fails is
tried again after three, five and seven days, unless `_control/billing` says otherwise.
"""

from collections.abc import Callable
from typing import Any

from dev.sandbox.stripe import clocks, discounting, intents, invoice_lines, lists, money
from dev.sandbox.stripe.core import Context, Refusal, control, task
from dev.sandbox.stripe.errors import invalid, missing
from dev.sandbox.stripe.operations import customers, payment_intents
from dev.sandbox.stripe.periods import DAY

JSON = dict[str, Any]

DRAFT_SECONDS = 3600
RETRY_DAYS = [3, 5, 7]
AFTER_RETRIES = ("cancel", "unpaid", "past_due")

# Called with the context, an invoice and what has become of it: a subscription follows its invoices.
FOLLOWERS: list[Callable[[Context, JSON, str], None]] = []


def get(ctx: Context, id: str, *, param: str = "invoice", status: int = 404) -> JSON:
    """Return an invoice, or refuse."""
    invoice: JSON | None = ctx.store.get("invoice", id)
    if invoice is None:
        raise missing("invoice", id, param=param, status=status)
    return invoice


def subscription_of(invoice: JSON) -> str | None:
    """Return the subscription that an invoice is of."""
    return invoice["parent"]["subscription_details"]["subscription"] if invoice["parent"] else None


def draft(ctx: Context, customer: JSON, reason: str, terms: JSON) -> JSON:
    """Return an invoice without lines, which is not stored yet.

    `terms` has `currency` and may have `subscription`, the object, and fields of the invoice.
    """
    now, id = clocks.now(ctx, customer), ctx.new_id("in")
    subscription = terms.get("subscription")
    source = subscription or {}
    collection = terms.get("collection_method") or source.get("collection_method") or "charge_automatically"
    details = subscription and {
        "metadata": subscription["metadata"],
        "subscription": subscription["id"],
        "subscription_proration_date": terms.get("proration_date"),
    }
    methods = (source.get("payment_settings") or {}).get("payment_method_types")
    return {
        "id": id,
        "object": "invoice",
        "account_country": "US",
        "account_name": "Sandbox",
        "account_tax_ids": None,
        "amount_due": 0,
        "amount_overpaid": 0,
        "amount_paid": 0,
        "amount_paid_off_stripe": 0,
        "amount_remaining": 0,
        "amount_shipping": 0,
        "application": None,
        "attempt_count": 0,
        "attempted": False,
        "auto_advance": terms.get("auto_advance", True),
        "automatic_tax": {
            "disabled_reason": None,
            "enabled": False,
            "liability": None,
            "provider": None,
            "status": None,
        },
        "automatically_finalizes_at": None,
        "billing_reason": reason,
        "collection_method": collection,
        "created": now,
        "currency": terms["currency"],
        "custom_fields": None,
        "customer": customer["id"],
        "customer_account": None,
        "customer_address": customer["address"],
        "customer_email": customer["email"],
        "customer_name": customer["name"],
        "customer_phone": customer["phone"],
        "customer_shipping": customer["shipping"],
        "customer_tax_exempt": customer["tax_exempt"],
        "customer_tax_ids": [],
        "default_payment_method": terms.get("default_payment_method"),
        "default_source": None,
        "default_tax_rates": terms.get("default_tax_rates") or source.get("default_tax_rates") or [],
        "description": terms.get("description"),
        "discounts": discounting.in_force(ctx, subscription, now) if subscription else [],
        "due_date": terms.get("due_date"),
        "effective_at": None,
        "ending_balance": None,
        "footer": terms.get("footer"),
        "from_invoice": None,
        "hosted_invoice_url": None,
        "invoice_pdf": None,
        "issuer": {"type": "self"},
        "last_finalization_error": None,
        "latest_revision": None,
        "lines": invoice_lines.empty_list(id),
        "livemode": False,
        "metadata": dict(terms.get("metadata") or {}),
        "next_payment_attempt": None,
        "number": None,
        "on_behalf_of": None,
        "parent": {"type": "subscription_details", "subscription_details": details} if details else None,
        "payment_settings": {
            "default_mandate": None,
            "payment_method_options": None,
            "payment_method_types": methods,
        },
        "period_end": terms.get("period_end", now),
        "period_start": terms.get("period_start", now),
        "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0,
        "receipt_number": None,
        "rendering": None,
        "shipping_cost": None,
        "shipping_details": None,
        "starting_balance": 0,
        "statement_descriptor": None,
        "status": "draft",
        "status_transitions": dict.fromkeys(("finalized_at", "marked_uncollectible_at", "paid_at", "voided_at")),
        "test_clock": customer["test_clock"],
        "threshold_reason": None,
        "webhooks_delivered_at": None,
    }


def store_draft(ctx: Context, invoice: JSON, *, finalizes: bool) -> None:
    """Store a draft with its sums, notify of it, and have it finalized in an hour where it advances by itself."""
    refresh(ctx, invoice)
    if finalizes:
        advance(ctx, invoice)
    ctx.store.put(invoice)
    ctx.emit("invoice.created", invoice)


def advance(ctx: Context, invoice: JSON) -> None:
    """Have a draft finalized in an hour if it advances by itself, and not at all otherwise."""
    at = clocks.now(ctx, invoice) + DRAFT_SECONDS if invoice["auto_advance"] else None
    by_card = invoice["collection_method"] == "charge_automatically"
    invoice |= {"automatically_finalizes_at": at, "next_payment_attempt": at if by_card else None}
    if at is not None:
        clocks.put_off(ctx, invoice, at, "invoices.finalize", invoice=invoice["id"], at=at)


def refresh(ctx: Context, invoice: JSON) -> None:
    """Set the sums of a draft, and what of them its customer's balance leaves to pay."""
    invoice_lines.total_up(ctx, invoice)
    customer = ctx.store.get("customer", invoice["customer"])
    assert customer is not None
    balance, total = customer["balance"], invoice["total"]
    due = max(0, total + balance) if total >= 0 else 0
    if 0 < due < money.MINIMUM.get(invoice["currency"], 1):
        due = 0
    invoice |= {"starting_balance": balance, "amount_due": due, "amount_remaining": due}


def finalize(ctx: Context, invoice: JSON) -> None:
    """Give a draft its number and its PaymentIntent; one with nothing to pay is paid.

    The customer's balance is used up by it, or takes what is too little to charge, or what is to be given back.
    """
    if invoice["status"] != "draft":
        message = f"This invoice is already finalized: its status is {invoice['status']}."
        raise invalid(message, code="invoice_not_editable")
    refresh(ctx, invoice)
    now = clocks.now(ctx, invoice)
    customer = ctx.store.get("customer", invoice["customer"])
    assert customer is not None
    ending = customer["balance"] + invoice["total"] - invoice["amount_due"]
    invoice |= {
        "automatically_finalizes_at": None,
        "effective_at": now,
        "ending_balance": ending,
        "hosted_invoice_url": f"{ctx.base_url}/invoice/{invoice['id']}",
        "number": f"{customer['invoice_prefix']}-{customer['next_invoice_sequence']:04}",
        "next_payment_attempt": None,
        "status": "open",
    }
    invoice["status_transitions"]["finalized_at"] = now
    former = {name: customer[name] for name in ("balance", "next_invoice_sequence")}
    customer |= {"balance": ending, "next_invoice_sequence": customer["next_invoice_sequence"] + 1}
    ctx.store.put(customer)
    ctx.emit("customer.updated", customer, {name: value for name, value in former.items() if customer[name] != value})
    if invoice["collection_method"] == "send_invoice":
        invoice["due_date"] = invoice["due_date"] or now + 30 * DAY
        clocks.put_off(ctx, invoice, invoice["due_date"], "invoices.overdue", invoice=invoice["id"])
    if invoice["amount_due"]:
        _ask_for_payment(ctx, invoice, customer)
    ctx.store.put(invoice)
    ctx.emit("invoice.finalized", invoice)
    if not invoice["amount_due"]:
        _settle(ctx, invoice, 0)


def collect(ctx: Context, id: str) -> Refusal | None:
    """Charge the stored method of an open invoice without its payer, and return the refusal if that failed."""
    invoice = get(ctx, id)
    if invoice["status"] != "open" or invoice["collection_method"] != "charge_automatically":
        return None
    invoice |= {"attempted": True, "attempt_count": invoice["attempt_count"] + 1, "next_payment_attempt": None}
    ctx.store.put(invoice)
    method = default_method(ctx, invoice)
    if method is None:
        _fail(ctx, invoice)
        message = "This customer has no attached payment source or default payment method."
        return invalid(message, code="resource_missing")
    intent = intent_of(ctx, invoice)
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
    """Try to pay an open invoice with a method, the stored one where none is given, as somebody asked for."""
    if invoice["status"] == "draft":
        finalize(ctx, invoice)
        invoice = get(ctx, invoice["id"])
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
        ctx, intent_of(ctx, invoice), method, off_session=off_session, by_invoice=True, return_url=return_url
    )


def pay_out_of_band(ctx: Context, invoice: JSON) -> None:
    """Mark an invoice as paid by other means."""
    if invoice["status"] == "draft":
        finalize(ctx, invoice)
    if invoice["status"] not in ("open", "uncollectible"):
        raise invalid(f"This invoice cannot be paid: its status is {invoice['status']}.", code="invoice_already_paid")
    _drop_payment(ctx, invoice)
    invoice["amount_paid_off_stripe"] = invoice["amount_remaining"]
    _settle(ctx, invoice, invoice["amount_remaining"])


def void(ctx: Context, invoice: JSON) -> None:
    """Take an open invoice back; what it had used of the customer's balance returns there."""
    if invoice["status"] not in ("open", "uncollectible"):
        raise _wrong_status(invoice, "void")
    _drop_payment(ctx, invoice)
    used = (invoice["starting_balance"] or 0) - (invoice["ending_balance"] or 0)
    if used:
        customers.add_to_balance(ctx, invoice["customer"], used)
    _close(ctx, invoice, "void", "voided_at")
    ctx.emit("invoice.voided", invoice)
    _follow(ctx, invoice, "voided")


def reduce(ctx: Context, invoice: JSON, amount: int) -> None:
    """Take what a credit note credits off what is to pay, or put it back when it is negative; nothing left is paid."""
    payment, intent = payment_of(ctx, invoice), intent_of(ctx, invoice)
    if payment is None or intent["status"] not in intents.CONFIRMABLE:
        raise invalid(f"The payment of this invoice is {intent['status']} and cannot be changed.", param="invoice")
    for name in ("amount_due", "amount_remaining"):
        invoice[name] -= amount
    invoice["pre_payment_credit_notes_amount"] += amount
    ctx.store.put(payment | {"amount_requested": invoice["amount_remaining"]})
    if invoice["amount_remaining"]:
        ctx.store.put(intent | {"amount": invoice["amount_remaining"]})
        ctx.store.put(invoice)
        ctx.emit("invoice.updated", invoice)
        return
    _drop_payment(ctx, invoice)
    _settle(ctx, invoice, 0)


def mark_uncollectible(ctx: Context, invoice: JSON) -> None:
    """Give an open invoice up; it can still be paid or voided."""
    if invoice["status"] != "open":
        raise _wrong_status(invoice, "mark as uncollectible")
    _close(ctx, invoice, "uncollectible", "marked_uncollectible_at")
    invoice["status_details"] = {"uncollectible": {"reason": "user_forgiven"}}
    ctx.store.put(invoice)
    ctx.emit("invoice.marked_uncollectible", invoice)
    _follow(ctx, invoice, "uncollectible")


def default_method(ctx: Context, owner: JSON) -> JSON | None:
    """Return what an invoice or a subscription is charged to: its own default, its subscription's, its customer's."""
    subscription = ctx.store.get("subscription", subscription_of(owner) or "") if owner["object"] == "invoice" else None
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


def payment_of(ctx: Context, invoice: JSON) -> JSON | None:
    """Return the payment of an invoice that has something to pay."""
    return next(iter(ctx.store.query("invoice_payment", invoice=invoice["id"])), None)


def intent_of(ctx: Context, invoice: JSON) -> JSON:
    """Return the PaymentIntent of an invoice that has something to pay."""
    payment = payment_of(ctx, invoice)
    assert payment is not None
    return payment_intents.get(ctx, payment["payment"]["payment_intent"])


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
        _follow(ctx, invoice, "processing")


intents.FOLLOWERS.append(follow)


def collection(ctx: Context) -> JSON:
    """Return how failed charges are tried again, and what becomes of a subscription at the end of it."""
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
    finalize(ctx, stored)
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
        _follow(ctx, stored, "failed")


def payments(ctx: Context, invoice: JSON) -> JSON:
    """Return the list of payments of an invoice."""
    found = ctx.store.query("invoice_payment", invoice=invoice["id"])
    return lists.whole(found, f"/v1/invoice_payments?invoice={invoice['id']}")


def _ask_for_payment(ctx: Context, invoice: JSON, customer: JSON) -> None:
    params: JSON = {
        "amount": invoice["amount_due"],
        "currency": invoice["currency"],
        "customer": customer["id"],
        "capture_method": "automatic",
        "description": f"Invoice {invoice['number']}",
    }
    if subscription_of(invoice):
        params["setup_future_usage"] = "off_session"
    if invoice["payment_settings"]["payment_method_types"]:
        params["allowed_payment_method_types"] = invoice["payment_settings"]["payment_method_types"]
    intent = payment_intents.new(ctx, params)
    payment: JSON = {
        "id": ctx.new_id("inpay"),
        "object": "invoice_payment",
        "amount_paid": None,
        "amount_requested": invoice["amount_due"],
        "created": clocks.now(ctx, invoice),
        "currency": invoice["currency"],
        "invoice": invoice["id"],
        "is_default": True,
        "livemode": False,
        "payment": {"type": "payment_intent", "payment_intent": intent["id"]},
        "status": "open",
        "status_transitions": {"canceled_at": None, "paid_at": None},
    }
    ctx.store.put(payment)
    ctx.store.put({"object": "sandbox.invoice", "id": f"{intent['id']}:invoice", "invoice": invoice["id"]})


def _pay_by_intent(ctx: Context, invoice: JSON, intent: JSON) -> None:
    payment = payment_of(ctx, invoice)
    assert payment is not None
    payment |= {"amount_paid": intent["amount_received"], "status": "paid"}
    payment["status_transitions"]["paid_at"] = clocks.now(ctx, invoice)
    ctx.store.put(payment)
    ctx.emit("invoice_payment.paid", payment)
    _settle(ctx, invoice, intent["amount_received"])


def _settle(ctx: Context, invoice: JSON, amount: int) -> None:
    _close(ctx, invoice, "paid", "paid_at")
    invoice |= {"amount_paid": amount, "amount_remaining": 0, "attempted": True}
    ctx.store.put(invoice)
    ctx.emit("invoice.paid", invoice)
    ctx.emit("invoice.payment_succeeded", invoice)
    _follow(ctx, invoice, "paid")


def _close(ctx: Context, invoice: JSON, status: str, moment: str) -> None:
    invoice |= {"status": status, "auto_advance": False, "next_payment_attempt": None}
    invoice["status_transitions"][moment] = clocks.now(ctx, invoice)
    ctx.store.put(invoice)


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
    _follow(ctx, invoice, outcome)


def _drop_payment(ctx: Context, invoice: JSON) -> None:
    payment = payment_of(ctx, invoice)
    if payment is None:
        return
    intent = payment_intents.get(ctx, payment["payment"]["payment_intent"])
    payment["status"] = "canceled"
    payment["status_transitions"]["canceled_at"] = clocks.now(ctx, invoice)
    ctx.store.put(payment)
    if intent["status"] in intents.CANCELABLE:
        intents.cancel(ctx, intent, "void_invoice")


def _follow(ctx: Context, invoice: JSON, outcome: str) -> None:
    for follow in FOLLOWERS:
        follow(ctx, invoice, outcome)


def _wrong_status(invoice: JSON, verb: str) -> Refusal:
    message = f"You can only {verb} an invoice that is open; the status of this one is {invoice['status']}."
    return invalid(message, code="invoice_not_editable")
