"""Charges: one attempt to take money, its outcome, and its effect on the balance.

An attempt succeeds, fails or, for bank debits, is pending. Money is taken when a charge is captured: only then has it a
line in the balance.
"""

from collections.abc import Mapping
from typing import Any

from dev.sandbox.stripe import cards, money, refunding
from dev.sandbox.stripe.core import Context, Refusal, control, task

JSON = dict[str, Any]

HOLD_SECONDS = 7 * 86_400


def authorize(
    ctx: Context,
    terms: Mapping[str, Any],
    payment_method: JSON,
    *,
    intent: str | None = None,
    authenticated: bool = False,
    decline_code: str | None = None,
) -> JSON:
    """Try to charge a payment method once and return the charge: succeeded but not captured, pending or failed.

    What does not pay by card is pending first; a cash balance has what it pays, so its charge is captured at once.

    `terms` has amount, currency, customer, description, metadata and so on under the names of a PaymentIntent.
    `authenticated` says that the payer has just passed 3-D Secure; `decline_code` fails the attempt with any card.
    """
    card = cards.behind(payment_method)
    is_debit = card.type != "card"
    code = decline_code or (None if is_debit else card.decline)
    charge: JSON = {
        "id": ctx.new_id("py" if is_debit else "ch"),
        "object": "charge",
        "amount": terms["amount"],
        "amount_captured": 0,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": payment_method["billing_details"],
        "calculated_statement_descriptor": "SANDBOX",
        "captured": False,
        "created": ctx.now(),
        "currency": terms["currency"],
        "customer": terms.get("customer"),
        "description": terms.get("description"),
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "fraud_details": {},
        "livemode": False,
        "metadata": dict(terms.get("metadata") or {}),
        "on_behalf_of": None,
        "outcome": _outcome(card),
        "paid": not is_debit,
        "payment_intent": intent,
        "payment_method": payment_method["id"],
        "payment_method_details": _details(ctx, terms["amount"], payment_method, authenticated=authenticated),
        "presentment_details": None,
        "radar_options": {},
        "receipt_email": terms.get("receipt_email"),
        "receipt_number": None,
        "receipt_url": None,
        "refunded": False,
        "review": None,
        "shipping": terms.get("shipping"),
        "source": None,
        "source_transfer": None,
        "statement_descriptor": terms.get("statement_descriptor"),
        "statement_descriptor_suffix": terms.get("statement_descriptor_suffix"),
        "status": "pending" if is_debit else "succeeded",
        "transfer_data": None,
        "transfer_group": terms.get("transfer_group"),
    }
    if code is not None:
        decline(ctx, charge, code)
    ctx.store.put(charge)
    return charge


def decline(ctx: Context, charge: JSON, decline_code: str) -> None:
    """Make a charge a failed one, for this reason."""
    payment_method = ctx.store.get("payment_method", charge["payment_method"])
    assert payment_method is not None
    card = cards.behind(payment_method)
    decline = cards.decline(card, decline_code)
    is_blocked = decline_code == "fraudulent"
    charge |= {
        "status": "failed",
        "paid": False,
        "captured": False,
        "failure_code": decline.code,
        "failure_message": decline.message,
        "outcome": charge["outcome"]
        | {
            "advice_code": decline.advice,
            "network_decline_code": "01" if card.type == "card" and not is_blocked else None,
            "network_status": "not_sent_to_network" if is_blocked else "declined_by_network",
            "reason": "highest_risk_level" if is_blocked else decline_code,
            "seller_message": decline.message,
            "type": "blocked" if is_blocked else "issuer_declined",
        },
    }
    ctx.store.put(charge)


def capture(ctx: Context, charge: JSON, amount: int, *, book_later: bool = False) -> None:
    """Take up to the authorized amount into the balance, and release the rest to the payer.

    `book_later` leaves the line of the balance to a later moment, if the control surface has asked for a delay.
    """
    charge |= {"captured": True, "paid": True, "status": "succeeded", "amount_captured": amount}
    delay = ctx.store.setting("balance_transaction_delay") or 0
    if book_later and delay:
        ctx.after(delay, "charging.book", {"charge": charge["id"]})
    else:
        _book(ctx, charge)
    if amount < charge["amount"]:
        refunding.release(ctx, charge, charge["amount"] - amount)
    ctx.store.put(charge)
    payment_method = ctx.store.get("payment_method", charge["payment_method"])
    card = cards.behind(payment_method) if payment_method else None
    if card is not None and card.dispute is not None:
        args = {"charge": charge["id"], "reason": card.dispute, "inquiry": card.inquiry}
        ctx.after(0, "dispute.open", args)


def declined(charge: JSON, payment_method: JSON, **extra: Any) -> Refusal:
    """Return the error that reports a failed charge to its caller; what was stored of it is kept."""
    outcome = charge["outcome"]
    reason = "fraudulent" if outcome["type"] == "blocked" else outcome["reason"]
    more = {"advice_code": outcome["advice_code"], "charge": charge["id"], "payment_method": payment_method, **extra}
    return Refusal(
        402,
        "card_error",
        charge["failure_message"],
        code=charge["failure_code"],
        decline_code=reason,
        extra={name: value for name, value in more.items() if value is not None},
        keep=True,
    )


@task("charging.book")
async def book(ctx: Context, charge: str) -> None:
    """Give a charge the line of the balance that it did not have yet, and notify of it."""
    stored = ctx.store.get("charge", charge)
    assert stored is not None
    _book(ctx, stored)
    ctx.store.put(stored)
    ctx.emit("charge.updated", stored, {"balance_transaction": None})


@control("balance_transactions")
async def delay_balance_transactions(ctx: Context, body: JSON) -> JSON:
    """Create balance transactions of `automatic_async` charges after `delay_seconds`."""
    delay = int(body.get("delay_seconds", 0))
    ctx.store.keep("balance_transaction_delay", delay)
    return {"delay_seconds": delay}


def _book(ctx: Context, charge: JSON) -> None:
    method = charge["payment_method_details"]["type"]
    payment_method = ctx.store.get("payment_method", charge["payment_method"])
    at_once = payment_method is not None and cards.behind(payment_method).available_at_once
    line = money.record(
        ctx,
        "charge" if method == "card" else "payment",
        charge["amount_captured"],
        charge["currency"],
        source=charge["id"],
        category="charge",
        available_on=ctx.now() + (0 if at_once else money.AVAILABLE_AFTER_SECONDS),
        fee=money.processing_fee(charge["amount_captured"], charge["currency"], method),
        description=charge["description"],
    )
    charge["balance_transaction"] = line["id"]


def _outcome(card: cards.Card) -> JSON:
    return {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": "approved_by_network",
        "reason": None,
        "risk_level": card.risk_level if card.type == "card" else "not_assessed",
        "seller_message": "Payment complete.",
        "type": "authorized",
    }


def _details(ctx: Context, amount: int, payment_method: JSON, *, authenticated: bool) -> JSON:
    kind = payment_method["type"]
    stored = payment_method[kind]
    names: tuple[str, ...]
    if kind == "customer_balance":
        return {"type": kind, kind: {}}
    if kind == "us_bank_account":
        names = ("account_holder_type", "account_type", "bank_name", "fingerprint", "last4", "routing_number")
        return {"type": kind, kind: {name: stored[name] for name in names} | {"mandate": None}}
    if kind == "sepa_debit":
        names = ("bank_code", "branch_code", "country", "fingerprint", "last4")
        return {"type": kind, kind: {name: stored[name] for name in names} | {"mandate": None}}
    names = ("brand", "checks", "country", "exp_month", "exp_year", "fingerprint", "funding", "last4", "wallet")
    three_d_secure = {
        "authentication_flow": "challenge",
        "electronic_commerce_indicator": "05",
        "exemption_indicator": None,
        "result": "authenticated",
        "result_reason": None,
        "transaction_id": None,
        "version": "2.2.0",
    }
    details = {name: stored[name] for name in names} | {
        "amount_authorized": amount,
        "authorization_code": "123456",
        "capture_before": ctx.now() + HOLD_SECONDS,
        "extended_authorization": {"status": "disabled"},
        "incremental_authorization": {"status": "unavailable"},
        "installments": None,
        "mandate": None,
        "multicapture": {"status": "unavailable"},
        "network": stored["brand"],
        "network_token": {"used": False},
        "network_transaction_id": None,
        "overcapture": {"maximum_amount_capturable": amount, "status": "unavailable"},
        "regulated_status": stored["regulated_status"],
        "three_d_secure": three_d_secure if authenticated else None,
    }
    return {"type": "card", "card": details}
