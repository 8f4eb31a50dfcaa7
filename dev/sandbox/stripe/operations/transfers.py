"""Transfers from the platform's available balance to connected accounts, and their reversals."""

from typing import Any

from dev.sandbox.stripe import connect, lists, money
from dev.sandbox.stripe.core import Context, operation
from dev.sandbox.stripe.errors import invalid, missing
from dev.sandbox.stripe.operations import payouts
from dev.sandbox.stripe.parameters import merge, merged_metadata

JSON = dict[str, Any]


def get(ctx: Context, id: str) -> JSON:
    """Return a transfer, or refuse."""
    transfer: JSON | None = ctx.store.get("transfer", id)
    if transfer is None:
        raise missing("transfer", id, param="transfer")
    return transfer


@operation("post", "/v1/transfers")
async def create(ctx: Context, params: JSON) -> JSON:
    """Move available money to a connected account, where it is available at once."""
    for name in ("source_transaction", "source_type"):
        if params.get(name, "card") != "card":
            raise invalid(f"This sandbox transfers from the balance only: leave {name} out.", param=name)
    currency = money.check_currency(params["currency"])
    amount = _positive(params.get("amount"))
    account = connect.get(ctx, params["destination"], param="destination", status=400)
    if account["capabilities"].get("transfers") != "active":
        message = "Your destination account needs to have at least one of the following capabilities enabled: transfers"
        raise invalid(message, param="destination", code="insufficient_capabilities_for_transfer")
    if money.totals(ctx)["available"].get(currency, 0) < amount:
        message = "You have insufficient available funds in your Stripe account."
        raise invalid(message, code="balance_insufficient")
    transfer: JSON = {
        "id": ctx.new_id("tr"),
        "object": "transfer",
        "amount": amount,
        "amount_reversed": 0,
        "balance_transaction": None,
        "created": ctx.now(),
        "currency": currency,
        "description": params.get("description"),
        "destination": account["id"],
        "destination_payment": ctx.new_id("py"),
        "livemode": False,
        "metadata": merged_metadata({}, params.get("metadata") or {}),
        "reversals": {},
        "reversed": False,
        "source_transaction": None,
        "source_type": "card",
        "transfer_group": params.get("transfer_group"),
    }
    transfer["reversals"] = lists.whole([], f"/v1/transfers/{transfer['id']}/reversals")
    line = _move(ctx, "transfer", "transfer", -amount, currency, transfer["id"])
    transfer["balance_transaction"] = line["id"]
    with ctx.store.within(account["id"]):
        _move(ctx, "payment", "charge", amount, currency, transfer["destination_payment"])
        payouts.schedule(ctx, account)
    ctx.store.put(transfer)
    ctx.emit("transfer.created", transfer)
    return transfer


@operation("get", "/v1/transfers/{transfer}")
async def retrieve(ctx: Context, _: JSON, transfer: str) -> JSON:
    """Return a transfer."""
    return get(ctx, transfer)


@operation("post", "/v1/transfers/{transfer}")
async def update(ctx: Context, params: JSON, transfer: str) -> JSON:
    """Change what is noted on a transfer."""
    found = get(ctx, transfer)
    previous = merge(found, params, "description")
    ctx.store.put(found)
    ctx.emit("transfer.updated", found, previous)
    return found


@operation("get", "/v1/transfers")
async def list_all(ctx: Context, params: JSON) -> JSON:
    """List transfers, newest first."""
    return lists.answer(ctx, "transfer", params, "/v1/transfers", "destination", "transfer_group")


@operation("post", "/v1/transfers/{id}/reversals")
async def reverse(ctx: Context, params: JSON, id: str) -> JSON:
    """Take a part of a transfer back, or all that is left of it, from what the account has available."""
    transfer = get(ctx, id)
    left = transfer["amount"] - transfer["amount_reversed"]
    amount, currency = _positive(params.get("amount", left)), transfer["currency"]
    if amount > left:
        message = f"Reversal amount ({amount}) is greater than unreversed amount on transfer ({left})"
        raise invalid(message, param="amount")
    with ctx.store.within(transfer["destination"]):
        if money.totals(ctx)["available"].get(currency, 0) < amount:
            message = f"The account {transfer['destination']} has insufficient available funds for this reversal."
            raise invalid(message, code="balance_insufficient")
        refund = ctx.new_id("pyr")
        _move(ctx, "payment_refund", "refund", -amount, currency, refund)
    reversal: JSON = {
        "id": ctx.new_id("trr"),
        "object": "transfer_reversal",
        "amount": amount,
        "balance_transaction": None,
        "created": ctx.now(),
        "currency": currency,
        "destination_payment_refund": refund,
        "metadata": merged_metadata({}, params.get("metadata") or {}),
        "source_refund": None,
        "transfer": id,
    }
    line = _move(ctx, "transfer_refund", "transfer_reversal", amount, currency, reversal["id"])
    reversal["balance_transaction"] = line["id"]
    ctx.store.put(reversal)
    transfer["amount_reversed"] += amount
    transfer["reversed"] = transfer["amount_reversed"] == transfer["amount"]
    transfer["reversals"]["data"].insert(0, reversal)
    ctx.store.put(transfer)
    ctx.emit("transfer.reversed", transfer)
    return reversal


@operation("get", "/v1/transfers/{id}/reversals/{reversal}")
async def retrieve_reversal(ctx: Context, _: JSON, id: str, reversal: str) -> JSON:
    """Return a reversal of a transfer."""
    found = ctx.store.get("transfer_reversal", reversal)
    if found is None or found["transfer"] != id:
        raise missing("transfer_reversal", reversal)
    return found


@operation("get", "/v1/transfers/{id}/reversals")
async def list_reversals(ctx: Context, params: JSON, id: str) -> JSON:
    """List the reversals of a transfer, newest first."""
    get(ctx, id)
    return lists.answer(ctx, "transfer_reversal", params, f"/v1/transfers/{id}/reversals", transfer=id)


def _positive(amount: int | None) -> int:
    if amount is None:
        raise invalid("Missing required param: amount.", param="amount", code="parameter_missing")
    if amount <= 0:
        raise invalid("Invalid positive integer", param="amount", code="parameter_invalid_integer")
    return amount


def _move(ctx: Context, type: str, category: str, amount: int, currency: str, source: str) -> JSON:
    return money.record(ctx, type, amount, currency, source=source, category=category, available_on=ctx.now())
