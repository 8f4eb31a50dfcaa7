"""Charges over the API: read, listed, changed, and made directly as before there were PaymentIntents."""

from typing import Any

from dev.sandbox.stripe import cards, charging, lists, money, search
from dev.sandbox.stripe.core import Context, Refusal, expansion, operation
from dev.sandbox.stripe.errors import invalid, missing
from dev.sandbox.stripe.operations import customers
from dev.sandbox.stripe.parameters import merge

JSON = dict[str, Any]

TERMS = ("description", "metadata", "receipt_email", "shipping", "statement_descriptor", "statement_descriptor_suffix")


def get(ctx: Context, id: str, *, param: str = "charge", status: int = 404) -> JSON:
    """Return a charge, or refuse."""
    charge: JSON | None = ctx.store.get("charge", id)
    if charge is None:
        raise missing("charge", id, param=param, status=status)
    return charge


@operation("post", "/v1/charges")
async def create(ctx: Context, params: JSON) -> JSON:
    """Charge a token or a customer's default payment method at once."""
    for name in ("amount", "currency"):
        if name not in params:
            raise invalid(f"Missing required param: {name}.", param=name, code="parameter_missing")
    currency = money.check_currency(params["currency"])
    money.check_amount(params["amount"], currency)
    payment_method = _payer(ctx, params)
    terms = {name: params.get(name) for name in TERMS}
    terms |= {"amount": params["amount"], "currency": currency, "customer": params.get("customer")}
    charge = charging.authorize(ctx, terms, payment_method)
    if charge["status"] == "failed":
        ctx.emit("charge.failed", charge)
        raise charging.declined(charge, payment_method)
    if charge["status"] == "pending":
        raise invalid("Bank accounts can only be debited by a PaymentIntent.", param="source")
    if params.get("capture", True):
        charging.capture(ctx, charge, charge["amount"])
    ctx.emit("charge.succeeded", charge)
    return charge


@operation("get", "/v1/charges/{charge}")
async def retrieve(ctx: Context, _: JSON, charge: str) -> JSON:
    """Return a charge."""
    return get(ctx, charge)


@operation("post", "/v1/charges/{charge}")
async def update(ctx: Context, params: JSON, charge: str) -> JSON:
    """Change what is said of a charge."""
    found = get(ctx, charge)
    previous = merge(found, params, "description", "receipt_email", "shipping", "transfer_group", "fraud_details")
    ctx.store.put(found)
    ctx.emit("charge.updated", found, previous)
    return found


@operation("post", "/v1/charges/{charge}/capture")
async def capture(ctx: Context, params: JSON, charge: str) -> JSON:
    """Take what a charge without an intent has authorized, or a part of it."""
    found = get(ctx, charge)
    if found["payment_intent"] is not None:
        raise invalid("This charge belongs to a PaymentIntent: capture that.", param="charge")
    if found["captured"] or found["status"] != "succeeded":
        raise invalid(f"Charge {charge} cannot be captured.", code="charge_already_captured")
    amount: int = params.get("amount") or found["amount"]
    if not 0 < amount <= found["amount"]:
        raise invalid(f"The amount has to be from 1 to {found['amount']}.", param="amount")
    charging.capture(ctx, found, amount)
    ctx.emit("charge.captured", found)
    return found


@operation("get", "/v1/charges")
async def list_all(ctx: Context, params: JSON) -> JSON:
    """List charges, newest first."""
    return lists.answer(ctx, "charge", params, "/v1/charges", "customer", "payment_intent", "transfer_group")


@operation("get", "/v1/charges/search")
async def search_all(ctx: Context, params: JSON) -> JSON:
    """Find charges by a query."""
    return search.answer(ctx, "charge", params, "/v1/charges/search")


@expansion("charge", "refunds")
def refunds(ctx: Context, charge: JSON) -> JSON:
    """Return the list of refunds that a charge is answered with when it is asked for."""
    return lists.whole(ctx.store.query("refund", charge=charge["id"]), f"/v1/charges/{charge['id']}/refunds")


def _payer(ctx: Context, params: JSON) -> JSON:
    source = params.get("source")
    if isinstance(source, str):
        payment_method = cards.resolve(ctx, source)
        if payment_method["customer"] not in (None, params.get("customer")):
            raise missing("source", source, param="source", status=400)
    elif isinstance(source, dict):
        payment_method = cards.from_data(ctx, {"type": "card", "card": source})
    else:
        if "customer" not in params:
            raise invalid("Either `source` or `customer` is needed.", param="source", code="parameter_missing")
        customer = customers.get(ctx, params["customer"], param="customer")
        default = customer["invoice_settings"]["default_payment_method"] or customer["default_source"]
        stored = ctx.store.get("payment_method", default or "")
        if stored is None:
            raise Refusal(402, "card_error", "Cannot charge a customer without a card.", code="missing")
        payment_method = stored
    return payment_method
