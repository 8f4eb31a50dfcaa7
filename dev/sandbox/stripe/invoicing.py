"""Invoices: `draft → open → paid`, or `void` or `uncollectible`.

Facts from docs.stripe.com/invoicing/overview. An invoice is paid by the PaymentIntent that it gets when it is
finalized.
"""

from collections.abc import Callable
from typing import Any

from dev.sandbox.stripe import clocks, discounting, intents, invoice_lines, lists, money
from dev.sandbox.stripe.core import Context, Refusal
from dev.sandbox.stripe.errors import invalid, missing
from dev.sandbox.stripe.operations import customers, payment_intents
from dev.sandbox.stripe.periods import DAY

JSON = dict[str, Any]

DRAFT_SECONDS = 3600

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


def of_subscription(ctx: Context, subscription: JSON) -> list[JSON]:
    """Return the invoices of a subscription, newest first."""
    found = ctx.store.query("invoice", customer=subscription["customer"])
    return [each for each in found if subscription_of(each) == subscription["id"]]


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
    customers.bill_in(ctx, invoice["customer"], invoice["currency"])
    refresh(ctx, invoice)
    if finalizes:
        advance(ctx, invoice)
    ctx.store.put(invoice)
    ctx.emit("invoice.created", invoice)


def advance(ctx: Context, invoice: JSON) -> None:
    """Schedule finalization of a draft in an hour if `auto_advance` is set."""
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
    if customer.get("deleted"):
        raise invalid(f"Customer {customer['id']} has been deleted.", param="customer")
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
        settle(ctx, invoice, 0)


def void(ctx: Context, invoice: JSON) -> None:
    """Take an open invoice back; what it had used of the customer's balance returns there."""
    if invoice["status"] not in ("open", "uncollectible"):
        raise _wrong_status(invoice, "void")
    drop_payment(ctx, invoice)
    used = (invoice["starting_balance"] or 0) - (invoice["ending_balance"] or 0)
    if used:
        customers.add_to_balance(ctx, invoice["customer"], used)
    _close(ctx, invoice, "void", "voided_at")
    ctx.emit("invoice.voided", invoice)
    lead(ctx, invoice, "voided")


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
    drop_payment(ctx, invoice)
    settle(ctx, invoice, 0)


def mark_uncollectible(ctx: Context, invoice: JSON) -> None:
    """Give an open invoice up; it can still be paid or voided."""
    if invoice["status"] != "open":
        raise _wrong_status(invoice, "mark as uncollectible")
    _close(ctx, invoice, "uncollectible", "marked_uncollectible_at")
    invoice["status_details"] = {"uncollectible": {"reason": "user_forgiven"}}
    ctx.store.put(invoice)
    ctx.emit("invoice.marked_uncollectible", invoice)
    lead(ctx, invoice, "uncollectible")


def settle(ctx: Context, invoice: JSON, amount: int) -> None:
    """Let an invoice be paid with what was charged for it."""
    _close(ctx, invoice, "paid", "paid_at")
    invoice |= {"amount_paid": amount, "amount_remaining": 0, "attempted": True}
    ctx.store.put(invoice)
    ctx.emit("invoice.paid", invoice)
    ctx.emit("invoice.payment_succeeded", invoice)
    lead(ctx, invoice, "paid")


def drop_payment(ctx: Context, invoice: JSON) -> None:
    """Cancel the payment of an invoice that is not waited for any more."""
    payment = payment_of(ctx, invoice)
    if payment is None:
        return
    intent = payment_intents.get(ctx, payment["payment"]["payment_intent"])
    payment["status"] = "canceled"
    payment["status_transitions"]["canceled_at"] = clocks.now(ctx, invoice)
    ctx.store.put(payment)
    if intent["status"] in intents.CANCELABLE:
        intents.cancel(ctx, intent, "void_invoice")


def lead(ctx: Context, invoice: JSON, outcome: str) -> None:
    """Take everything along that follows an invoice."""
    for follow in FOLLOWERS:
        follow(ctx, invoice, outcome)


def payment_of(ctx: Context, invoice: JSON) -> JSON | None:
    """Return the payment of an invoice that has something to pay."""
    return next(iter(ctx.store.query("invoice_payment", invoice=invoice["id"])), None)


def intent_of(ctx: Context, invoice: JSON) -> JSON:
    """Return the PaymentIntent of an invoice that has something to pay."""
    payment = payment_of(ctx, invoice)
    assert payment is not None
    return payment_intents.get(ctx, payment["payment"]["payment_intent"])


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


def _close(ctx: Context, invoice: JSON, status: str, moment: str) -> None:
    invoice |= {"status": status, "auto_advance": False, "next_payment_attempt": None}
    invoice["status_transitions"][moment] = clocks.now(ctx, invoice)
    ctx.store.put(invoice)


def _wrong_status(invoice: JSON, verb: str) -> Refusal:
    message = f"You can only {verb} an invoice that is open; the status of this one is {invoice['status']}."
    return invalid(message, code="invoice_not_editable")
