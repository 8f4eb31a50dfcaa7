"""PaymentIntents: the state machine that leads a payment from its creation to money, or to none.

Facts from docs.stripe.com/payments/paymentintents/lifecycle. Who changes an intent has read it in the same transaction;
every function stores what it changes and emits the events in Stripe's order.
"""

from collections.abc import Callable
from typing import Any

from dev.sandbox.stripe import cards, charging, refunding
from dev.sandbox.stripe.card_table import Authentication, DebitCourse
from dev.sandbox.stripe.core import Context, Refusal, task

JSON = dict[str, Any]

CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")
CANCELABLE = (*CONFIRMABLE, "requires_capture", "processing")

# Called with the context and an intent after it has moved to another status: a checkout session follows its intent.
FOLLOWERS: list[Callable[[Context, JSON], None]] = []
# How methods are confirmed that are not charged at once, by their type.
CONFIRMATIONS: dict[str, Callable[..., Refusal | None]] = {}


def waits_for_transfer(intent: JSON) -> bool:
    """Return whether an intent waits for its payer to send money, which nothing else than money can end well."""
    action = intent["next_action"] or {}
    return intent["status"] == "requires_action" and action.get("type") == "display_bank_transfer_instructions"


def unexpected_state(intent: JSON, verb: str) -> Refusal:
    """Return the refusal of an act that the intent's status does not allow; the intent goes with it."""
    return Refusal(
        400,
        "invalid_request_error",
        f"You cannot {verb} this PaymentIntent because it has a status of {intent['status']}.",
        code="payment_intent_unexpected_state",
        extra={"payment_intent": intent},
    )


def confirm(
    ctx: Context,
    intent: JSON,
    payment_method: JSON,
    *,
    off_session: bool = False,
    refuse_action: bool = False,
    return_url: str | None = None,
    by_sdk: bool = False,
    by_invoice: bool = False,
) -> Refusal | None:
    """Try to pay an intent with a payment method, and return the refusal if that was declined.

    `refuse_action` declines where the payer would have to authenticate. `by_sdk` leaves the way to 3-D Secure to
    Stripe's scripts instead of a redirect. An invoice waits for its payer also when it was charged without them.
    """
    if intent["status"] not in CONFIRMABLE:
        raise unexpected_state(intent, "confirm")
    _check_method(ctx, intent, payment_method)
    intent |= {"payment_method": payment_method["id"], "last_payment_error": None, "next_action": None}
    if payment_method["type"] in CONFIRMATIONS:
        return CONFIRMATIONS[payment_method["type"]](ctx, intent, payment_method, refuse_action=refuse_action)
    mark = f"{intent['id']}:authenticated"
    if ctx.store.get("sandbox.authenticated", mark) is not None:
        ctx.store.delete("sandbox.authenticated", mark)
        return _charge(ctx, intent, payment_method, authenticated=True)
    if _wants_authentication(ctx, intent, payment_method, off_session=off_session):
        if refuse_action or (off_session and not by_invoice):
            return _charge(ctx, intent, payment_method, decline_code="authentication_required")
        _ask_payer(ctx, intent, None if by_sdk else return_url)
        return None
    return _charge(ctx, intent, payment_method)


def authenticate(ctx: Context, intent: JSON, *, succeeds: bool) -> Refusal | None:
    """End the 3-D Secure of an intent that waits for it, and return the refusal if the charge after it was declined."""
    if intent["status"] != "requires_action" or waits_for_transfer(intent):
        raise unexpected_state(intent, "authenticate")
    payment_method = ctx.store.get("payment_method", intent["payment_method"])
    assert payment_method is not None
    intent["next_action"] = None
    if not succeeds:
        fail(
            ctx,
            intent,
            {
                "code": "payment_intent_authentication_failure",
                "message": "The payer could not be authenticated.",
                "payment_method": payment_method,
                "type": "invalid_request_error",
            },
        )
        return None
    if intent["confirmation_method"] == "manual":
        ctx.store.put({"object": "sandbox.authenticated", "id": f"{intent['id']}:authenticated"})
        move(ctx, intent, "requires_confirmation")
        return None
    return _charge(ctx, intent, payment_method, authenticated=True)


def settle_debit(ctx: Context, intent: JSON) -> None:
    """Let the bank debit of a processing intent arrive."""
    charge = _pending_charge(ctx, intent)
    charging.capture(ctx, charge, charge["amount"])
    ctx.emit("charge.succeeded", charge)
    receive(ctx, intent, charge)


def fail_debit(ctx: Context, intent: JSON, decline_code: str | None = None) -> None:
    """Let the bank debit of a processing intent fail, for the reason that its test account has or the one given."""
    charge = _pending_charge(ctx, intent)
    payment_method = ctx.store.get("payment_method", charge["payment_method"])
    assert payment_method is not None
    charging.decline(ctx, charge, decline_code or cards.behind(payment_method).decline or "insufficient_funds")
    ctx.emit("charge.failed", charge)
    fail(ctx, intent, _error_of(charge, payment_method))


def capture(ctx: Context, intent: JSON, amount: int | None) -> None:
    """Take up to what was authorized, all of it when no amount is given; the rest is released."""
    if intent["status"] != "requires_capture":
        raise unexpected_state(intent, "capture")
    amount = intent["amount_capturable"] if amount is None else amount
    if amount <= 0 or amount > intent["amount_capturable"]:
        code = "amount_too_large" if amount > 0 else "parameter_invalid_integer"
        message = f"The amount to capture has to be from 1 to {intent['amount_capturable']}."
        raise Refusal(400, "invalid_request_error", message, code=code, param="amount_to_capture")
    charge = _latest_charge(ctx, intent)
    charging.capture(ctx, charge, amount, book_later=intent["capture_method"] == "automatic_async")
    ctx.emit("charge.captured", charge)
    receive(ctx, intent, charge)


def cancel(ctx: Context, intent: JSON, reason: str | None) -> None:
    """End an intent that has taken no money; what was authorized is released, a pending debit is called back."""
    if intent["status"] not in CANCELABLE:
        raise unexpected_state(intent, "cancel")
    if intent["status"] == "requires_capture":
        charge = _latest_charge(ctx, intent)
        refunding.release(ctx, charge, charge["amount"])
        ctx.store.put(charge)
        ctx.emit("charge.expired" if reason == "automatic" else "charge.refunded", charge)
    elif intent["status"] == "processing":
        charge = _latest_charge(ctx, intent)
        charging.decline(ctx, charge, "generic_decline")
        ctx.emit("charge.failed", charge)
    intent |= {
        "amount_capturable": 0,
        "canceled_at": ctx.now(),
        "cancellation_reason": reason,
        "next_action": None,
    }
    move(ctx, intent, "canceled")
    ctx.emit("payment_intent.canceled", intent)


def receive(ctx: Context, intent: JSON, charge: JSON) -> None:
    """Let an intent succeed with what its charge has captured."""
    intent |= {"amount_received": charge["amount_captured"], "amount_capturable": 0}
    move(ctx, intent, "succeeded")
    ctx.emit("payment_intent.succeeded", intent)


def fail(ctx: Context, intent: JSON, error: JSON) -> None:
    """Let an attempt to pay an intent fail; it waits for another payment method."""
    intent |= {"last_payment_error": error, "payment_method": None, "next_action": None}
    move(ctx, intent, "requires_payment_method")
    ctx.emit("payment_intent.payment_failed", intent)


def move(ctx: Context, intent: JSON, status: str) -> None:
    """Give an intent another status, store it, and take everything along that follows it."""
    intent["status"] = status
    ctx.store.put(intent)
    for follow in FOLLOWERS:
        follow(ctx, intent)


@task("intents.expire_authorization")
async def expire_authorization(ctx: Context, intent: str) -> None:
    """Release an authorization that was not captured in time."""
    stored = ctx.store.get("payment_intent", intent)
    if stored is not None and stored["status"] == "requires_capture":
        cancel(ctx, stored, "automatic")


@task("intents.end_debit")
async def end_debit(ctx: Context, intent: str, charge: str) -> None:
    """End a bank debit as its test account has it, unless it has ended."""
    stored = ctx.store.get("payment_intent", intent)
    if stored is None or stored["status"] != "processing" or stored["latest_charge"] != charge:
        return
    payment_method = ctx.store.get("payment_method", stored["payment_method"])
    assert payment_method is not None
    if cards.behind(payment_method).debit is DebitCourse.FAILS:
        fail_debit(ctx, stored)
    else:
        settle_debit(ctx, stored)


def _check_method(ctx: Context, intent: JSON, payment_method: JSON) -> None:
    kind, owner = payment_method["type"], payment_method["customer"]
    if kind not in intent["payment_method_types"]:
        message = f"A PaymentMethod of type {kind} is not allowed for this PaymentIntent."
        code = "payment_intent_incompatible_payment_method"
        raise Refusal(400, "invalid_request_error", message, code=code, param="payment_method")
    if owner is not None and owner != intent["customer"]:
        message = f"PaymentMethod {payment_method['id']} belongs to another customer than this PaymentIntent."
        raise Refusal(400, "invalid_request_error", message, param="payment_method")
    if cards.is_spent(ctx, payment_method):
        message = "This PaymentMethod was used or detached without belonging to a customer. It cannot be used again."
        raise Refusal(400, "invalid_request_error", message, param="payment_method")


def _wants_authentication(ctx: Context, intent: JSON, payment_method: JSON, *, off_session: bool) -> bool:
    if payment_method["type"] != "card":
        return False
    asked_for = (intent["payment_method_options"].get("card") or {}).get("request_three_d_secure", "automatic")
    if asked_for != "automatic" and cards.behind(payment_method).authentication is Authentication.OPTIONAL:
        return True
    return cards.needs_authentication(ctx, payment_method, off_session=off_session)


def _ask_payer(ctx: Context, intent: JSON, return_url: str | None) -> None:
    url = f"{ctx.base_url}/3ds/{intent['id']}"
    if return_url is None:
        intent["next_action"] = {
            "type": "use_stripe_sdk",
            "use_stripe_sdk": {"type": "three_d_secure_redirect", "stripe_js": url},
        }
    else:
        redirect = {"return_url": return_url, "url": url}
        intent["next_action"] = {"type": "redirect_to_url", "redirect_to_url": redirect}
    move(ctx, intent, "requires_action")
    ctx.emit("payment_intent.requires_action", intent)


def _charge(
    ctx: Context,
    intent: JSON,
    payment_method: JSON,
    *,
    authenticated: bool = False,
    decline_code: str | None = None,
) -> Refusal | None:
    charge = charging.authorize(
        ctx, intent, payment_method, intent=intent["id"], authenticated=authenticated, decline_code=decline_code
    )
    intent["latest_charge"] = charge["id"]
    if charge["status"] == "failed":
        ctx.emit("charge.failed", charge)
        fail(ctx, intent, _error_of(charge, payment_method))
        return charging.declined(charge, payment_method, payment_intent=intent)
    _keep_for_later(ctx, intent, payment_method, authenticated=authenticated)
    if charge["status"] == "pending":
        ctx.emit("charge.pending", charge)
        move(ctx, intent, "processing")
        ctx.emit("payment_intent.processing", intent)
        card = cards.behind(payment_method)
        if card.debit is not DebitCourse.STAYS:
            args = {"intent": intent["id"], "charge": charge["id"]}
            ctx.after(card.delay_seconds, "intents.end_debit", args)
    elif intent["capture_method"] == "manual":
        ctx.emit("charge.succeeded", charge)
        intent["amount_capturable"] = intent["amount"]
        move(ctx, intent, "requires_capture")
        ctx.emit("payment_intent.amount_capturable_updated", intent)
        ctx.after(charging.HOLD_SECONDS, "intents.expire_authorization", {"intent": intent["id"]})
    else:
        charging.capture(ctx, charge, charge["amount"], book_later=intent["capture_method"] == "automatic_async")
        ctx.emit("charge.succeeded", charge)
        receive(ctx, intent, charge)
    return None


def _keep_for_later(ctx: Context, intent: JSON, payment_method: JSON, *, authenticated: bool) -> None:
    wanted = intent["setup_future_usage"] is not None
    if wanted and authenticated:
        cards.set_up(ctx, payment_method)
    if payment_method["customer"] is not None:
        return
    if wanted and intent["customer"] is not None:
        payment_method["customer"] = intent["customer"]
        ctx.store.put(payment_method)
        ctx.emit("payment_method.attached", payment_method)
    else:
        cards.spend(ctx, payment_method)


def _error_of(charge: JSON, payment_method: JSON) -> JSON:
    refusal = charging.declined(charge, payment_method)
    error: JSON = refusal.body()["error"]
    return error if payment_method["type"] == "card" else error | {"type": "invalid_request_error"}


def _latest_charge(ctx: Context, intent: JSON) -> JSON:
    charge = ctx.store.get("charge", intent["latest_charge"])
    assert charge is not None
    return charge


def _pending_charge(ctx: Context, intent: JSON) -> JSON:
    if intent["status"] != "processing":
        raise unexpected_state(intent, "settle")
    return _latest_charge(ctx, intent)
