"""Cash balances: what customers have sent by bank transfer and no payment has used, and every change of it as a line.

Facts from docs.stripe.com/payments/customer-balance. One function changes a balance, and each change has its line, so
what is available is the sum of all lines. Not here: returns to the customer's bank, and what Stripe does by itself with
money that was not used for 75 days.
"""

from typing import Any

from dev.sandbox.stripe.core import Context, Refusal

JSON = dict[str, Any]

# Where bank transfers arrive, by the currency that they are in.
TRANSFERS = {
    "usd": "us_bank_transfer",
    "eur": "eu_bank_transfer",
    "gbp": "gb_bank_transfer",
    "jpy": "jp_bank_transfer",
    "mxn": "mx_bank_transfer",
}
SENDER = "Sandbox Sender"
_SENDERS: dict[str, JSON] = {
    "us_bank_transfer": {"network": "ach", "sender_name": SENDER},
    "eu_bank_transfer": {"bic": "DEUTDEFFXXX", "iban_last4": "3000", "sender_name": SENDER},
    "gb_bank_transfer": {"account_number_last4": "6789", "sender_name": SENDER, "sort_code": "108800"},
    "jp_bank_transfer": {"sender_bank": "STRIPE TEST BANK", "sender_branch": "TOKYO", "sender_name": SENDER},
}


def shown(ctx: Context, customer: str) -> JSON:
    """Return the cash balance of a customer as Stripe's object; `available` is null until money has come."""
    kept = _kept(ctx, customer)
    return {
        "object": "cash_balance",
        "available": kept["available"],
        "customer": customer,
        "customer_account": None,
        "livemode": False,
        "settings": {
            "reconciliation_mode": kept["mode"] or "automatic",
            "using_merchant_default": kept["mode"] is None,
        },
    }


def available(ctx: Context, customer: str, currency: str) -> int:
    """Return how much of a customer's money no payment has used."""
    return int((_kept(ctx, customer)["available"] or {}).get(currency, 0))


def is_automatic(ctx: Context, customer: str) -> bool:
    """Return whether money is applied to what waits for it without being asked."""
    return bool(_kept(ctx, customer)["mode"] != "manual")


def set_mode(ctx: Context, customer: str, mode: str) -> None:
    """Set how money is applied: `automatic`, `manual`, or `merchant_default`, which is automatic here."""
    ctx.store.put(_kept(ctx, customer) | {"mode": None if mode == "merchant_default" else mode})


def set_terms(ctx: Context, customer: str, params: JSON) -> None:
    """Set what the parameter `cash_balance` of a customer says, if it says anything."""
    mode = (params.get("settings") or {}).get("reconciliation_mode")
    if mode is not None:
        set_mode(ctx, customer, mode)


def receive(ctx: Context, customer: str, currency: str, amount: int, reference: str | None) -> JSON:
    """Add what a bank transfer has brought, and return the line."""
    kind = TRANSFERS[currency]
    transfer: JSON = {"reference": reference, "type": kind}
    if kind in _SENDERS:
        transfer[kind] = _SENDERS[kind]
    return change(ctx, customer, currency, amount, "funded", {"bank_transfer": transfer})


def change(ctx: Context, customer: str, currency: str, amount: int, kind: str, detail: JSON) -> JSON:
    """Change a balance by a signed amount, record the line that says why, notify of it, and return it.

    Raises:
        Refusal: There is not so much.
    """
    kept = _kept(ctx, customer)
    rest = int((kept["available"] or {}).get(currency, 0)) + amount
    if rest < 0:
        raise insufficient(customer, currency)
    ctx.store.put(kept | {"available": {**(kept["available"] or {}), currency: rest}})
    line: JSON = {
        "id": ctx.new_id("ccsbtxn"),
        "object": "customer_cash_balance_transaction",
        "created": ctx.now(),
        "currency": currency,
        "customer": customer,
        "customer_account": None,
        "ending_balance": rest,
        "livemode": False,
        "net_amount": amount,
        "type": kind,
        kind: detail,
    }
    ctx.store.put(line)
    ctx.emit("customer_cash_balance_transaction.created", line)
    return line


def announce_rest(ctx: Context, customer: str, currency: str) -> None:
    """Send the event that money has come which no payment has used, with the balance of all currencies."""
    if available(ctx, customer, currency) > 0:
        ctx.emit("cash_balance.funds_available", shown(ctx, customer))


def insufficient(customer: str, currency: str) -> Refusal:
    """Return the refusal of a payment that needs more than is available."""
    message = f"The cash balance of {customer} in {currency} does not cover this payment."
    return Refusal(400, "invalid_request_error", message, code="insufficient_funds")


def _kept(ctx: Context, customer: str) -> JSON:
    id = f"{customer}:cash_balance"
    kept: JSON | None = ctx.store.get("sandbox.cash_balance", id)
    return kept or {"object": "sandbox.cash_balance", "id": id, "available": None, "mode": None}
