"""SetupIntents: a payment method agreed with its payer and its bank, to be charged later.

`requires_payment_method → requires_confirmation → requires_action → succeeded`, and `canceled` from all but the last.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dev.sandbox.stripe import cards, lists
from dev.sandbox.stripe.core import Context, Refusal, operation, random_text
from dev.sandbox.stripe.errors import invalid, missing
from dev.sandbox.stripe.operations import payment_methods
from dev.sandbox.stripe.parameters import merge

JSON = dict[str, Any]
OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")
TYPES = ["card", "us_bank_account", "sepa_debit"]
# Called with the context and an intent that has succeeded: a subscription waits for what it is to be charged to.
FOLLOWERS: list[Callable[[Context, JSON], None]] = []
NOT_HERE = ("confirmation_token", "customer_account", "on_behalf_of", "payment_method_configuration", "single_use")


def get(ctx: Context, id: str) -> JSON:
    """Returns a setup intent.

    Raises:
        Refusal: There is none.
    """
    intent = ctx.store.get("setup_intent", id)
    if intent is None:
        raise missing("setupintent", id, param="intent")
    return intent


def wrong_state(intent: JSON, verb: str) -> Refusal:
    """Returns the refusal of an act that the status of an intent does not allow."""
    message = f"You cannot {verb} this SetupIntent because it has a status of {intent['status']}."
    extra = {"setup_intent": intent}
    return Refusal(400, "invalid_request_error", message, code="setup_intent_unexpected_state", extra=extra)


def set_method(ctx: Context, intent: JSON, params: JSON) -> None:
    """Sets the payment method that parameters name or describe, if they do."""
    if "payment_method_data" in params:
        method = cards.from_data(ctx, params["payment_method_data"])
    elif "payment_method" in params:
        method = payment_methods.resolved(ctx, params["payment_method"])
    else:
        return
    if method["type"] not in intent["payment_method_types"]:
        message = f"This SetupIntent does not take payment methods of type {method['type']}."
        raise invalid(message, param="payment_method")
    if method["customer"] is not None and method["customer"] != intent["customer"]:
        raise invalid("The payment method belongs to another customer.", param="payment_method")
    intent["payment_method"] = method["id"]
    if intent["status"] == "requires_payment_method":
        intent["status"] = "requires_confirmation"


def confirm(ctx: Context, intent: JSON, params: JSON) -> None:
    """Asks the bank, which agrees, declines or wants to see the payer first.

    Raises:
        Refusal: It declines; the intent is kept with the reason, and waits for another payment method.
    """
    if intent["status"] not in OPEN:
        raise wrong_state(intent, "confirm")
    set_method(ctx, intent, params)
    if intent["payment_method"] is None:
        message = "You cannot confirm this SetupIntent because it is missing a payment method."
        raise invalid(message, code="setup_intent_unexpected_state")
    demand_return_url(ctx, intent, params)
    method = ctx.store.get("payment_method", intent["payment_method"])
    assert method is not None
    card = cards.behind(method)
    if card.decline is not None and not card.attaches:
        fail(ctx, intent, method, payment_methods.declined(card))
    if cards.needs_authentication(ctx, method):
        url = f"{ctx.base_url}/3ds/{intent['id']}"
        intent["status"] = "requires_action"
        if "return_url" in params:
            redirect = {"return_url": params["return_url"], "url": url}
            intent["next_action"] = {"type": "redirect_to_url", "redirect_to_url": redirect}
        else:
            by_script = {"type": "three_d_secure_redirect", "stripe_js": url}
            intent["next_action"] = {"type": "use_stripe_sdk", "use_stripe_sdk": by_script}
        ctx.store.put(intent)
        ctx.emit("setup_intent.requires_action", intent)
        return
    succeed(ctx, intent, method)


def demand_return_url(ctx: Context, intent: JSON, params: JSON) -> None:
    """Refuses a confirmation that leaves a payer nowhere to return to, where methods with a redirect are accepted."""
    automatic = intent["automatic_payment_methods"]
    if automatic is None or automatic["allow_redirects"] == "never" or ctx.publishable or "return_url" in params:
        return
    message = (
        "Methods that this SetupIntent accepts may lead the payer to another page. Pass a `return_url`, or make it "
        "with `automatic_payment_methods[allow_redirects]` set to `never`."
    )
    raise invalid(message, param="return_url")


def fail(ctx: Context, intent: JSON, method: JSON, reason: Refusal) -> None:
    """Records why the bank does not agree, and raises it, to be kept."""
    error = {**reason.body()["error"], "payment_method": method}
    intent |= {
        "status": "requires_payment_method",
        "payment_method": None,
        "next_action": None,
        "last_setup_error": error,
    }
    ctx.store.put(intent)
    ctx.emit("setup_intent.setup_failed", intent)
    reason.keep = True
    reason.extra = {"setup_intent": intent, "payment_method": method}
    raise reason


def succeed(ctx: Context, intent: JSON, method: JSON) -> None:
    """Notes the agreement and gives the payment method to the customer."""
    if intent["customer"] is not None:
        payment_methods.attached(ctx, method, intent["customer"])
    cards.set_up(ctx, method)
    intent |= {"status": "succeeded", "next_action": None, "last_setup_error": None}
    ctx.store.put(intent)
    ctx.emit("setup_intent.succeeded", intent)
    for follow in FOLLOWERS:
        follow(ctx, intent)


def authenticate(ctx: Context, intent: JSON, *, succeeds: bool) -> None:
    """Ends the 3-D Secure of an intent that waits for it.

    Raises:
        Refusal: It does not wait for it.
    """
    if intent["status"] != "requires_action":
        raise wrong_state(intent, "authenticate")
    method = ctx.store.get("payment_method", intent["payment_method"])
    assert method is not None
    if succeeds:
        succeed(ctx, intent, method)
        return
    error = {
        "code": "setup_intent_authentication_failure",
        "message": "The payer could not be authenticated.",
        "payment_method": method,
        "type": "invalid_request_error",
    }
    intent |= {"status": "requires_payment_method", "payment_method": None, "next_action": None}
    intent["last_setup_error"] = error
    ctx.store.put(intent)
    ctx.emit("setup_intent.setup_failed", intent)


def new(ctx: Context, params: JSON) -> JSON:
    """Stores an unconfirmed intent, emits its event, and returns it."""
    for name in NOT_HERE:
        if name in params:
            raise invalid(f"This sandbox does not have the parameter {name} of a SetupIntent yet.", param=name)
    if "customer" in params and (ctx.store.get("customer", params["customer"]) or {"deleted": True}).get("deleted"):
        raise missing("customer", params["customer"], param="customer", status=400)
    id = ctx.new_id("seti")
    allowed, excluded = params.get("allowed_payment_method_types"), params.get("excluded_payment_method_types")
    automatic = {"enabled": True, "allow_redirects": "always", **params.get("automatic_payment_methods", {})}
    intent: JSON = {
        "id": id,
        "object": "setup_intent",
        "allowed_payment_method_types": allowed,
        "application": None,
        "automatic_payment_methods": automatic if automatic["enabled"] and not allowed else None,
        "cancellation_reason": None,
        "client_secret": f"{id}_secret_{random_text(24)}",
        "created": ctx.now(),
        "customer": params.get("customer"),
        "customer_account": None,
        "description": params.get("description"),
        "excluded_payment_method_types": excluded,
        "flow_directions": params.get("flow_directions"),
        "last_setup_error": None,
        "latest_attempt": None,
        "livemode": False,
        "mandate": None,
        "metadata": {},
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_options": {
            "card": {"mandate_options": None, "network": None, "request_three_d_secure": "automatic"}
        },
        "payment_method_types": allowed or [each for each in TYPES if each not in (excluded or ())],
        "single_use_mandate": None,
        "status": "requires_payment_method",
        "usage": params.get("usage", "off_session"),
    }
    merge(intent, params)
    set_method(ctx, intent, params)
    ctx.store.put(intent)
    ctx.emit("setup_intent.created", intent)
    return intent


@operation("post", "/v1/setup_intents")
async def create(ctx: Context, params: JSON) -> JSON:
    """Makes an intent, and confirms it at once where that is asked for."""
    intent = new(ctx, params)
    if params.get("confirm"):
        given = {"return_url": params["return_url"]} if "return_url" in params else {}
        confirm(ctx, intent, given)
    elif "return_url" in params:
        raise invalid("return_url goes with confirm.", param="return_url")
    return intent


@operation("get", "/v1/setup_intents/{intent}")
async def retrieve(ctx: Context, _: JSON, intent: str) -> JSON:
    """Returns an intent."""
    return get(ctx, intent)


@operation("post", "/v1/setup_intents/{intent}")
async def update(ctx: Context, params: JSON, intent: str) -> JSON:
    """Changes an intent that has not ended."""
    found = get(ctx, intent)
    if found["status"] not in OPEN:
        raise wrong_state(found, "update")
    if "customer" in params:
        if (ctx.store.get("customer", params["customer"]) or {"deleted": True}).get("deleted"):
            raise missing("customer", params["customer"], param="customer", status=400)
        if found["customer"] not in (None, params["customer"]):
            raise invalid("The customer of this SetupIntent cannot be changed.", param="customer")
    merge(found, params, "customer", "description", "flow_directions")
    set_method(ctx, found, params)
    ctx.store.put(found)
    return found


@operation("post", "/v1/setup_intents/{intent}/confirm")
async def confirm_one(ctx: Context, params: JSON, intent: str) -> JSON:
    """Asks the bank."""
    found = get(ctx, intent)
    confirm(ctx, found, params)
    return found


@operation("post", "/v1/setup_intents/{intent}/cancel")
async def cancel(ctx: Context, params: JSON, intent: str) -> JSON:
    """Ends an intent without an agreement."""
    found = get(ctx, intent)
    if found["status"] not in OPEN:
        raise wrong_state(found, "cancel")
    found |= {"status": "canceled", "next_action": None, "cancellation_reason": params.get("cancellation_reason")}
    ctx.store.put(found)
    ctx.emit("setup_intent.canceled", found)
    return found


@operation("get", "/v1/setup_intents")
async def list_all(ctx: Context, params: JSON) -> JSON:
    """Lists intents, newest first."""
    return lists.answer(ctx, "setup_intent", params, "/v1/setup_intents", "customer", "payment_method")
