"""Refunds: money given back, in parts or whole, never more than what is left of a charge.

Facts from docs.stripe.com/refunds. A refund takes the money from the balance when it is made, also while it is pending;
one that fails brings it back under a line of its own. The fee of the charge is never given back. What was authorized
and not captured is reported as a refund too, as Stripe does, but has no line in the balance.

What came by bank transfer goes to a bank account that the payer has to name first, asked by e-mail: such a refund
requires action, can be canceled until then, and fails without an answer.
"""

from typing import Any

from dev.sandbox.stripe import cards, cash, money
from dev.sandbox.stripe.card_table import RefundCourse
from dev.sandbox.stripe.core import Context, Refusal, task

JSON = dict[str, Any]

# Until a pending refund succeeds, or one fails that had succeeded: only a clock that is moved, or the control surface.
LATER_SECONDS = 86_400
# How long a payer who has paid by bank transfer has for naming an account.
ANSWER_SECONDS = 45 * 86_400


def give_back(
    ctx: Context,
    charge: JSON,
    amount: int | None,
    *,
    reason: str | None = None,
    metadata: JSON | None = None,
    email: str | None = None,
) -> JSON:
    """Refund a captured charge, all that is left of it when no amount is given, and return the refund.

    `email` is where the payer of a bank transfer is asked for an account, unless it is the customer's.
    """
    remainder = charge["amount"] - charge["amount_refunded"]
    _check(ctx, charge, amount, remainder)
    amount = remainder if amount is None else amount
    payment_method = ctx.store.get("payment_method", charge["payment_method"])
    course = RefundCourse.SUCCEEDS
    if payment_method is not None:
        card = cards.behind(payment_method)
        course = card.refund if card.type == "card" else RefundCourse.PENDING
    refund = _new(ctx, charge, amount, reason=reason, metadata=metadata)
    by_transfer = charge["payment_method_details"]["type"] == "customer_balance"
    if by_transfer:
        refund |= {"status": "requires_action", **_asked(ctx, charge, email)}
    elif course is RefundCourse.PENDING:
        refund |= {"status": "pending", "pending_reason": "processing"}
        refund["destination_details"].get("card", {})["type"] = "pending"
    paid = ctx.store.get("balance_transaction", charge["balance_transaction"] or "")
    line = money.record(
        ctx,
        "refund" if charge["payment_method_details"]["type"] == "card" else "payment_refund",
        -amount,
        charge["currency"],
        source=refund["id"],
        category="refund",
        available_on=max(ctx.now(), paid["available_on"] if paid else ctx.now() + money.AVAILABLE_AFTER_SECONDS),
        description="REFUND FOR CHARGE",
    )
    refund["balance_transaction"] = line["id"]
    ctx.store.put(refund)
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    ctx.store.put(charge)
    ctx.emit("refund.created", refund)
    ctx.emit("charge.refunded", charge)
    if by_transfer:
        ctx.after(ANSWER_SECONDS, "refunding.lapse", {"refund": refund["id"]})
    elif course is not RefundCourse.SUCCEEDS:
        ctx.after(LATER_SECONDS, "refunding.end", {"refund": refund["id"], "fails": course is RefundCourse.FAILS})
    return refund


def release(ctx: Context, charge: JSON, amount: int) -> JSON:
    """Note that what was authorized and not captured goes back to the payer, and return the refund that says so.

    The caller stores the charge.
    """
    refund = _new(ctx, charge, amount)
    refund["destination_details"].get("card", {})["type"] = "reversal"
    ctx.store.put(refund)
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    return refund


def succeed(ctx: Context, refund: JSON) -> None:
    """End a pending refund well."""
    _expect(refund, "pending", "requires_action")
    former = refund["status"]
    refund |= {"status": "succeeded", "pending_reason": None}
    refund.pop("next_action", None)
    _announce(ctx, refund, {"status": former})


def fail(ctx: Context, refund: JSON, reason: str = "lost_or_stolen_card") -> None:
    """End a refund badly, also one that had succeeded: the money comes back to the balance and can be refunded anew."""
    _expect(refund, "pending", "succeeded", "requires_action")
    _return(ctx, refund, "failed", reason)
    ctx.emit("refund.failed", refund)


def cancel(ctx: Context, refund: JSON) -> None:
    """Take a refund back whose payer has not named an account yet: the money comes back to the balance."""
    if refund["status"] != "requires_action":
        message = f"Refund {refund['id']} cannot be canceled: its status is {refund['status']}, not requires_action."
        raise Refusal(400, "invalid_request_error", message)
    _return(ctx, refund, "canceled", None)


def _return(ctx: Context, refund: JSON, status: str, reason: str | None) -> None:
    former = refund["status"]
    refund.pop("next_action", None)
    charge = ctx.store.get("charge", refund["charge"])
    assert charge is not None
    line = money.record(
        ctx,
        "refund_failure",
        refund["amount"],
        refund["currency"],
        source=refund["id"],
        category="refund_failure",
        available_on=ctx.now(),
        description="REFUND FAILURE",
    )
    refund |= {
        "status": status,
        "pending_reason": None,
        "failure_reason": reason,
        "failure_balance_transaction": line["id"],
    }
    charge["amount_refunded"] -= refund["amount"]
    charge["refunded"] = False
    ctx.store.put(charge)
    _announce(ctx, refund, {"status": former})


@task("refunding.end")
async def end(ctx: Context, refund: str, fails: bool) -> None:
    """End a refund as its card determines, unless it has ended already."""
    stored = ctx.store.get("refund", refund)
    assert stored is not None
    if fails and stored["status"] == "succeeded":
        fail(ctx, stored)
    elif not fails and stored["status"] == "pending":
        succeed(ctx, stored)


@task("refunding.lapse")
async def lapse(ctx: Context, refund: str) -> None:
    """Fail a refund whose payer has named no account in time."""
    stored = ctx.store.get("refund", refund)
    assert stored is not None
    if stored["status"] == "requires_action":
        fail(ctx, stored, "unknown")


def _check(ctx: Context, charge: JSON, amount: int | None, remainder: int) -> None:
    def refused(message: str, code: str | None = None, param: str | None = None) -> Refusal:
        return Refusal(400, "invalid_request_error", message, code=code, param=param)

    if not charge["captured"] or charge["status"] != "succeeded":
        raise refused(f"Charge {charge['id']} holds no money that could be refunded.", "charge_not_refundable")
    if charge["disputed"] and not _is_refundable_in_spite_of_disputes(ctx, charge):
        raise refused(f"Charge {charge['id']} has been charged back; cannot issue a refund.", "charge_disputed")
    if remainder == 0:
        raise refused(f"Charge {charge['id']} has already been refunded.", "charge_already_refunded")
    if amount is not None and amount <= 0:
        raise refused("The amount has to be greater than zero.", "parameter_invalid_integer", "amount")
    if amount is not None and amount > remainder:
        message = f"Refund amount ({amount}) is greater than unrefunded amount on charge ({remainder})"
        raise refused(message, param="amount")


def _is_refundable_in_spite_of_disputes(ctx: Context, charge: JSON) -> bool:
    return all(dispute["is_charge_refundable"] for dispute in ctx.store.query("dispute", charge=charge["id"]))


def _new(ctx: Context, charge: JSON, amount: int, *, reason: str | None = None, metadata: JSON | None = None) -> JSON:
    kind = charge["payment_method_details"]["type"]
    destination: JSON = {"type": kind}
    if kind == "card":
        destination["card"] = {"reference_status": "pending", "reference_type": "acquirer_reference_number"}
        destination["card"]["type"] = "refund"
    elif kind == "us_bank_account":
        destination = {"type": "us_bank_transfer", "us_bank_transfer": {"reference": None, "reference_status": None}}
    elif kind == "customer_balance":
        way = cash.TRANSFERS[charge["currency"]]
        destination = {"type": way, way: {"reference": None, "reference_status": None}}
    return {
        "id": ctx.new_id("re" if kind == "card" else "pyr"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": ctx.now(),
        "currency": charge["currency"],
        "destination_details": destination,
        "failure_balance_transaction": None,
        "failure_reason": None,
        "metadata": dict(metadata or {}),
        "payment_intent": charge["payment_intent"],
        "pending_reason": None,
        "reason": reason,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "succeeded",
        "transfer_reversal": None,
    }


def _asked(ctx: Context, charge: JSON, email: str | None) -> JSON:
    payer: JSON = ctx.store.get("customer", charge["customer"]) or {}
    email = email or payer.get("email")
    if not email:
        message = "The payer is asked by e-mail for a bank account: pass `instructions_email`."
        raise Refusal(400, "invalid_request_error", message, param="instructions_email")
    sent = {"email_sent_at": ctx.now(), "email_sent_to": email}
    details = {"email_sent": sent, "expires_at": ctx.now() + ANSWER_SECONDS}
    return {"instructions_email": email, "next_action": {"type": "display_details", "display_details": details}}


def _expect(refund: JSON, *statuses: str) -> None:
    if refund["status"] not in statuses or refund["balance_transaction"] is None:
        raise Refusal(400, "invalid_request_error", f"Refund {refund['id']} is {refund['status']}.")


def _announce(ctx: Context, refund: JSON, previous: JSON) -> None:
    ctx.store.put(refund)
    ctx.emit("refund.updated", refund, previous)
    ctx.emit("charge.refund.updated", refund, previous)
