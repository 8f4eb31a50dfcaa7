"""Refunds over the API: made, changed, read, listed; and ended by the control surface."""

from typing import Any

from dev.sandbox.stripe import lists, refunding
from dev.sandbox.stripe.core import Context, control, operation
from dev.sandbox.stripe.errors import invalid, missing
from dev.sandbox.stripe.operations import charges, payment_intents
from dev.sandbox.stripe.operations.disputes import close_inquiries
from dev.sandbox.stripe.parameters import merge, merged_metadata

JSON = dict[str, Any]


def get(ctx: Context, id: str) -> JSON:
    """Return a refund, or refuse."""
    refund: JSON | None = ctx.store.get("refund", id)
    if refund is None:
        raise missing("refund", id, param="refund")
    return refund


@operation("post", "/v1/refunds")
async def create(ctx: Context, params: JSON) -> JSON:
    """Give back a part of a charge, or all that is left of it."""
    charge = _refunded(ctx, params)
    metadata = merged_metadata({}, params.get("metadata") or {})
    refund = refunding.give_back(
        ctx,
        charge,
        params.get("amount"),
        reason=params.get("reason"),
        metadata=metadata,
        email=params.get("instructions_email"),
    )
    if charge["refunded"]:
        close_inquiries(ctx, charge)
    return refund


@operation("get", "/v1/refunds/{refund}")
async def retrieve(ctx: Context, _: JSON, refund: str) -> JSON:
    """Return a refund."""
    return get(ctx, refund)


@operation("post", "/v1/refunds/{refund}")
async def update(ctx: Context, params: JSON, refund: str) -> JSON:
    """Change the metadata of a refund."""
    found = get(ctx, refund)
    previous = merge(found, params)
    ctx.store.put(found)
    ctx.emit("refund.updated", found, previous)
    ctx.emit("charge.refund.updated", found, previous)
    return found


@operation("post", "/v1/refunds/{refund}/cancel")
async def cancel(ctx: Context, _: JSON, refund: str) -> JSON:
    """Take a refund back that waits for its payer to name a bank account."""
    found = get(ctx, refund)
    refunding.cancel(ctx, found)
    return found


@operation("get", "/v1/refunds")
async def list_all(ctx: Context, params: JSON) -> JSON:
    """List refunds, newest first."""
    return lists.answer(ctx, "refund", params, "/v1/refunds", "charge", "payment_intent")


@control("refund")
async def end_refund(ctx: Context, body: JSON) -> JSON:
    """End `refund` with `outcome` `succeed` or `fail`."""
    found = get(ctx, str(body.get("refund")))
    if body.get("outcome", "succeed") == "succeed":
        refunding.succeed(ctx, found)
    else:
        refunding.fail(ctx, found)
    return found


def _refunded(ctx: Context, params: JSON) -> JSON:
    if "origin" in params:
        raise invalid("This sandbox does not return cash balances to the customer's bank yet.", param="origin")
    if "charge" in params:
        return charges.get(ctx, params["charge"], param="charge", status=400)
    if "payment_intent" not in params:
        message = "One of `charge` and `payment_intent` is needed."
        raise invalid(message, param="payment_intent", code="parameter_missing")
    intent = payment_intents.get(ctx, params["payment_intent"], param="payment_intent", status=400)
    if intent["latest_charge"] is None:
        message = f"PaymentIntent {intent['id']} has no successful charge to refund."
        raise invalid(message, param="payment_intent", code="payment_intent_unexpected_state")
    return charges.get(ctx, intent["latest_charge"])
