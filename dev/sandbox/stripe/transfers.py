"""PaymentIntents paid by bank transfer from the customer's cash balance, at once or in parts.

Facts from docs.stripe.com/payments/bank-transfers/accept-a-payment and docs.stripe.com/payments/customer-balance, with
its page on reconciliation. What a transfer brings is added to the cash balance and applied from there, so it pays once
or waits; nothing is charged before an intent is paid whole. What was applied to an intent that goes another way,
canceled, changed or paid by another method, returns to the cash balance in the moment in which the intent leaves its
state, whoever moves it.

Where this sandbox is simpler than Stripe: intents wait in the order of their creation in every country, money is
applied by hand only to what waits already, and the code of a balance that is too small is a guess.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

from dev.sandbox.stripe import bank_details, cash, charging, intents
from dev.sandbox.stripe.core import Context, Refusal
from dev.sandbox.stripe.errors import invalid

JSON = dict[str, Any]

TYPE = "customer_balance"
# A transfer is matched with up to so many intents that together wait for just its amount. No more are looked through
# than can be in no time: five of twenty are fifteen thousand groups.
MOST_TOGETHER, MOST_CONSIDERED = 5, 20


def confirm(ctx: Context, intent: JSON, payment_method: JSON, *, refuse_action: bool) -> Refusal | None:
    """Pay an intent out of the cash balance, or show its payer where to send what is missing.

    Returns the refusal where the balance is too small and no transfer is wanted.
    """
    terms = intent["payment_method_options"].get(TYPE) or {}
    _check(intent, terms)
    customer, currency = intent["customer"], intent["currency"]
    missing, at_hand = intent["amount"] - _applied(ctx, intent), cash.available(ctx, customer, currency)
    by_transfer = terms.get("funding_type") == "bank_transfer" and not refuse_action
    by_itself = cash.is_automatic(ctx, customer)
    if at_hand >= missing and (by_itself or not by_transfer):
        apply(ctx, intent, missing)
        return None
    if not by_transfer:
        refusal = cash.insufficient(customer, currency)
        intents.fail(ctx, intent, refusal.body()["error"] | {"payment_method": payment_method})
        refusal.keep, refusal.extra = True, {"payment_intent": intent, "payment_method": payment_method}
        return refusal
    intent["next_action"] = _instructions(ctx, intent, terms["bank_transfer"], missing)
    intents.move(ctx, intent, "requires_action")
    ctx.emit("payment_intent.requires_action", intent)
    if by_itself and at_hand > 0:
        apply(ctx, intent, at_hand)
    return None


def fund(ctx: Context, customer: str, currency: str, amount: int, reference: str | None) -> JSON:
    """Let a bank transfer arrive, apply it to what waits for it, and return its line of the cash balance."""
    line = cash.receive(ctx, customer, currency, amount, reference)
    _reconcile(ctx, customer, currency, sent=amount, reference=reference)
    cash.announce_rest(ctx, customer, currency)
    return line


def apply(ctx: Context, intent: JSON, amount: int) -> None:
    """Apply money of the cash balance to an intent, which succeeds when it is paid whole."""
    applied = _applied(ctx, intent) + amount
    assert 0 < amount <= applied <= intent["amount"]
    customer, currency = intent["customer"], intent["currency"]
    cash.change(ctx, customer, currency, -amount, "applied_to_payment", {"payment_intent": intent["id"]})
    if applied == intent["amount"]:
        ctx.store.delete("sandbox.applied", _mark(intent))
        _complete(ctx, intent)
        return
    kept = {"customer": customer, "currency": currency, "amount": applied}
    ctx.store.put({"object": "sandbox.applied", "id": _mark(intent), **kept})
    intent["next_action"]["display_bank_transfer_instructions"]["amount_remaining"] = intent["amount"] - applied
    ctx.store.put(intent)
    ctx.emit("payment_intent.partially_funded", intent)


def apply_by_hand(ctx: Context, intent: JSON, amount: int | None, currency: str | None) -> None:
    """Apply money of the cash balance to an intent that waits for a transfer: an amount, or all there is."""
    if not intents.waits_for_transfer(intent):
        raise intents.unexpected_state(intent, "apply a customer balance to")
    if currency is not None and currency.lower() != intent["currency"]:
        raise invalid(f"This PaymentIntent is in {intent['currency']}, not in {currency}.", param="currency")
    missing = intent["amount"] - _applied(ctx, intent)
    if amount is not None and not 0 < amount <= missing:
        raise invalid(f"The amount has to be from 1 to {missing}, which is missing.", param="amount")
    at_hand = cash.available(ctx, intent["customer"], intent["currency"])
    if at_hand < (amount or 1):
        raise cash.insufficient(intent["customer"], intent["currency"])
    apply(ctx, intent, amount or min(at_hand, missing))


def follow(ctx: Context, intent: JSON) -> None:
    """Return what was applied to an intent that no longer waits for a transfer, and let it pay what else waits."""
    kept = ctx.store.get("sandbox.applied", _mark(intent))
    if kept is None or intents.waits_for_transfer(intent):
        return
    ctx.store.delete("sandbox.applied", _mark(intent))
    customer, currency = kept["customer"], kept["currency"]
    why = {"payment_intent": intent["id"]}
    cash.change(ctx, customer, currency, kept["amount"], "unapplied_from_payment", why)
    _reconcile(ctx, customer, currency)
    cash.announce_rest(ctx, customer, currency)


intents.CONFIRMATIONS[TYPE] = confirm
intents.FOLLOWERS.append(follow)


def _reconcile(
    ctx: Context, customer: str, currency: str, *, sent: int | None = None, reference: str | None = None
) -> None:
    if not cash.is_automatic(ctx, customer):
        return
    found = ctx.store.query("payment_intent", customer=customer, currency=currency, status="requires_action")
    waiting = [intent for intent in reversed(found) if intents.waits_for_transfer(intent)]
    meant = _named(waiting, reference) or (_matching(ctx, waiting, sent) if sent is not None else ())
    for intent in (*meant, *waiting):
        at_hand = cash.available(ctx, customer, currency)
        if at_hand > 0 and intents.waits_for_transfer(intent):
            apply(ctx, intent, min(at_hand, intent["amount"] - _applied(ctx, intent)))


def _named(waiting: Sequence[JSON], reference: str | None) -> Sequence[JSON]:
    # In Japan transfers carry no reference, so the instructions have none.
    names = {intent["id"]: _shown(intent)["reference"] for intent in waiting}
    named = [each for each in waiting if names[each["id"]] and names[each["id"]] in (reference or "").upper()]
    return named if len(named) == 1 else ()


def _matching(ctx: Context, waiting: Sequence[JSON], sent: int) -> Sequence[JSON]:
    missing = {intent["id"]: intent["amount"] - _applied(ctx, intent) for intent in waiting}
    for size in range(1, MOST_TOGETHER + 1):
        for group in combinations(waiting[:MOST_CONSIDERED], size):
            if sum(missing[intent["id"]] for intent in group) == sent:
                return group
    return ()


def _complete(ctx: Context, intent: JSON) -> None:
    payment_method = ctx.store.get("payment_method", intent["payment_method"])
    assert payment_method is not None
    charge = charging.authorize(ctx, intent, payment_method, intent=intent["id"])
    intent |= {"latest_charge": charge["id"], "next_action": None}
    charging.capture(ctx, charge, charge["amount"], book_later=intent["capture_method"] == "automatic_async")
    ctx.emit("charge.succeeded", charge)
    intents.receive(ctx, intent, charge)


def _check(intent: JSON, terms: JSON) -> None:
    options = f"payment_method_options[{TYPE}]"
    if intent["customer"] is None:
        message = f"A PaymentIntent that is paid by {TYPE} needs a customer."
        raise invalid(message, param="customer", code="parameter_missing")
    if intent["capture_method"] == "manual":
        raise invalid(f"What is paid by {TYPE} cannot be captured later.", param="capture_method")
    wanted = cash.TRANSFERS.get(intent["currency"])
    if wanted is None:
        raise invalid(f"There are no bank transfers in {intent['currency']}.", param="currency")
    if terms.get("funding_type") != "bank_transfer":
        return
    transfer = terms.get("bank_transfer") or {}
    if not transfer:
        param = f"{options}[bank_transfer]"
        raise invalid(f"Missing required param: {param}.", param=param, code="parameter_missing")
    if transfer["type"] != wanted:
        message = f"Bank transfers in {intent['currency']} are of type {wanted}, not {transfer['type']}."
        raise invalid(message, param=f"{options}[bank_transfer][type]")
    if wanted == "eu_bank_transfer" and "eu_bank_transfer" not in transfer:
        param = f"{options}[bank_transfer][eu_bank_transfer]"
        raise invalid(f"Missing required param: {param}.", param=param, code="parameter_missing")


def _instructions(ctx: Context, intent: JSON, transfer: JSON, missing: int) -> JSON:
    kind = transfer["type"]
    country = (transfer.get("eu_bank_transfer") or {}).get("country")
    shown = {
        "amount_remaining": missing,
        "currency": intent["currency"],
        "financial_addresses": bank_details.addresses(kind, country),
        "hosted_instructions_url": f"{ctx.base_url}/bank_transfer/{intent['id']}",
        "reference": None if kind == "jp_bank_transfer" else intent["id"].removeprefix("pi_")[:12].upper(),
        "type": kind,
    }
    return {"type": "display_bank_transfer_instructions", "display_bank_transfer_instructions": shown}


def _shown(intent: JSON) -> JSON:
    shown: JSON = intent["next_action"]["display_bank_transfer_instructions"]
    return shown


def _applied(ctx: Context, intent: JSON) -> int:
    kept = ctx.store.get("sandbox.applied", _mark(intent))
    return 0 if kept is None else int(kept["amount"])


def _mark(intent: JSON) -> str:
    return f"{intent['id']}:applied"
