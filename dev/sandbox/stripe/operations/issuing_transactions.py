"""Transactions of issued cards, those without an authorization and refunds, and disputes with their merchants."""

from typing import Any

from dev.sandbox.stripe import issuing, lists
from dev.sandbox.stripe.core import Context, control, expansion, operation
from dev.sandbox.stripe.errors import invalid
from dev.sandbox.stripe.parameters import demand_only, merge

JSON = dict[str, Any]

HELPERS = "/v1/test_helpers/issuing/transactions"


@operation("get", "/v1/issuing/transactions/{transaction}")
async def retrieve(ctx: Context, _: JSON, transaction: str) -> JSON:
    """Return a transaction."""
    return issuing.get(ctx, "transaction", transaction)


@operation("get", "/v1/issuing/transactions")
async def list_all(ctx: Context, params: JSON) -> JSON:
    """List transactions, newest first."""
    return lists.answer(ctx, "issuing.transaction", params, "/v1/issuing/transactions", "card", "cardholder", "type")


@operation("post", HELPERS + "/create_force_capture")
async def force_capture(ctx: Context, params: JSON) -> JSON:
    """Create a force capture: a transaction without an authorization."""
    return _without_authorization(ctx, params, "capture", -1)


@operation("post", HELPERS + "/create_unlinked_refund")
async def unlinked_refund(ctx: Context, params: JSON) -> JSON:
    """Create an unlinked refund."""
    return _without_authorization(ctx, params, "refund", 1)


@operation("post", HELPERS + "/{transaction}/refund")
async def refund(ctx: Context, params: JSON, transaction: str) -> JSON:
    """Refund a part of a capture."""
    found = issuing.get(ctx, "transaction", transaction)
    given = ctx.store.setting(f"issuing/refunded/{transaction}") or 0
    left = -found["amount"] - given
    amount = params.get("refund_amount", left)
    if found["type"] != "capture" or not 0 < amount <= left:
        raise invalid(f"At most {max(0, left)} of this transaction can be refunded.", param="refund_amount")
    ctx.store.keep(f"issuing/refunded/{transaction}", given + amount)
    card = issuing.get(ctx, "card", found["card"])
    abroad = amount * found["merchant_amount"] // found["amount"]
    made = issuing.transact(ctx, "refund", card, amount, found, found["authorization"], abroad)
    if found["authorization"] is not None:
        issuing.save(ctx, issuing.get(ctx, "authorization", found["authorization"]))
    return made


@operation("post", "/v1/issuing/disputes")
async def create_dispute(ctx: Context, params: JSON) -> JSON:
    """Dispute a capture; nothing happens to its money before the dispute is won."""
    demand_only(params, "disputes", "transaction", "amount", "evidence", "metadata")
    found = issuing.get(ctx, "transaction", params.get("transaction", ""), param="transaction")
    if found["type"] != "capture" or found["dispute"] is not None:
        raise invalid("This transaction cannot be disputed.", param="transaction")
    amount = params.get("amount", -found["amount"])
    if not 0 < amount <= -found["amount"]:
        raise invalid("A dispute is about the amount of its transaction at most.", param="amount")
    dispute: JSON = {
        "id": ctx.new_id("idp"),
        "object": "issuing.dispute",
        "amount": amount,
        "created": ctx.now(),
        "currency": found["currency"],
        "evidence": params.get("evidence", {"reason": "fraudulent"}),
        "livemode": False,
        "loss_reason": None,
        "metadata": {},
        "status": "unsubmitted",
        "transaction": found["id"],
    }
    merge(dispute, params)
    ctx.store.put(dispute)
    ctx.emit("issuing_dispute.created", dispute)
    ctx.store.put(found | {"dispute": dispute["id"]})
    ctx.emit("issuing_transaction.updated", found | {"dispute": dispute["id"]}, {"dispute": None})
    return dispute


@operation("post", "/v1/issuing/disputes/{dispute}/submit")
async def submit_dispute(ctx: Context, params: JSON, dispute: str) -> JSON:
    """Hand a dispute to the card network."""
    demand_only(params, "submissions")
    found = _dispute(ctx, dispute, "unsubmitted") | {"status": "submitted"}
    ctx.store.put(found)
    ctx.emit("issuing_dispute.submitted", found)
    return found


@operation("get", "/v1/issuing/disputes/{dispute}")
async def retrieve_dispute(ctx: Context, _: JSON, dispute: str) -> JSON:
    """Return a dispute."""
    return issuing.get(ctx, "dispute", dispute)


@operation("get", "/v1/issuing/disputes")
async def list_disputes(ctx: Context, params: JSON) -> JSON:
    """List disputes, newest first."""
    return lists.answer(ctx, "issuing.dispute", params, "/v1/issuing/disputes", "status", "transaction")


@expansion("issuing.dispute", "balance_transactions")
def lines_of(ctx: Context, dispute: JSON) -> list[JSON]:
    """Return what a dispute has done to the balance, oldest first."""
    return ctx.store.query("balance_transaction", source=dispute["id"])[::-1]


@control("issuing/dispute/close")
async def close_dispute(ctx: Context, body: JSON) -> JSON:
    """End a submitted `dispute` with `outcome` `won` or `lost`; one that is won brings its amount back."""
    won = body.get("outcome") == "won"
    found = _dispute(ctx, str(body.get("dispute")), "submitted") | {"status": "won" if won else "lost"}
    if not won:
        found["loss_reason"] = "merchandise_or_service_as_described"
    ctx.store.put(found)
    ctx.emit("issuing_dispute.closed", found)
    if won:
        issuing.line(ctx, "issuing_dispute", found["amount"], found["currency"], found["id"])
        ctx.emit("issuing_dispute.funds_reinstated", found)
    return found


def _dispute(ctx: Context, id: str, status: str) -> JSON:
    found = issuing.get(ctx, "dispute", id)
    if found["status"] != status:
        raise invalid(f"This dispute is {found['status']}.", param="dispute")
    return found


def _without_authorization(ctx: Context, params: JSON, type: str, sign: int) -> JSON:
    demand_only(params, "transactions", "amount", "card", "currency", "merchant_data")
    card, amount = issuing.get(ctx, "card", params["card"], param="card"), params["amount"]
    if amount <= 0 or params.get("currency", card["currency"]) != card["currency"]:
        raise invalid("The amount is above zero and in the currency of the card.", param="amount")
    of = {"merchant_currency": card["currency"], "merchant_data": issuing.merchant(params.get("merchant_data", {}))}
    return issuing.transact(ctx, type, card, sign * amount, of, None, sign * amount)
