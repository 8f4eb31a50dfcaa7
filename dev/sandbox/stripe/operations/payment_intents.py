"""PaymentIntents over the API: made, confirmed, captured, canceled, changed, read, listed and searched."""

from typing import Any

from dev.sandbox.stripe import cards, intents, lists, money, search, transfers
from dev.sandbox.stripe.core import Context, Refusal, control, operation
from dev.sandbox.stripe.errors import invalid, missing
from dev.sandbox.stripe.operations import customers
from dev.sandbox.stripe.parameters import merge

JSON = dict[str, Any]

FREE_FIELDS = ("description", "receipt_email", "shipping", "statement_descriptor", "statement_descriptor_suffix")
SETTABLE = (*FREE_FIELDS, "setup_future_usage", "capture_method", "transfer_group")
# What was paid towards other terms than these goes back to the cash balance.
TERMS = ("amount", "currency", "customer", "payment_method", "payment_method_data", "payment_method_options")
DELAYED_TYPES = {"usd": "us_bank_account", "eur": "sepa_debit"}


def get(ctx: Context, id: str, *, param: str = "intent", status: int = 404) -> JSON:
    """Return a PaymentIntent, or refuse."""
    intent: JSON | None = ctx.store.get("payment_intent", id)
    if intent is None:
        raise missing("payment_intent", id, param=param, status=status)
    return intent


def new(ctx: Context, params: JSON) -> JSON:
    """Store an unconfirmed PaymentIntent, emit its event, and return it."""
    currency = money.check_currency(params["currency"])
    money.check_amount(params["amount"], currency)
    if "customer" in params:
        customers.get(ctx, params["customer"], param="customer")
    id = ctx.new_id("pi")
    automatic = params.get("automatic_payment_methods") or {"enabled": "allowed_payment_method_types" not in params}
    intent: JSON = {
        "id": id,
        "object": "payment_intent",
        "allowed_payment_method_types": params.get("allowed_payment_method_types"),
        "amount": params["amount"],
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": {"allow_redirects": "always", **automatic} if automatic["enabled"] else None,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic_async",
        "client_secret": f"{id}_secret_{ctx.new_id('x')[2:]}",
        "confirmation_method": params.get("confirmation_method", "automatic"),
        "created": ctx.now(),
        "currency": currency,
        "customer": params.get("customer"),
        "customer_account": None,
        "description": None,
        "excluded_payment_method_types": params.get("excluded_payment_method_types"),
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": {},
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": _options(params),
        "payment_method_types": types(params, currency),
        "presentment_details": None,
        "processing": None,
        "receipt_email": None,
        "review": None,
        "setup_future_usage": None,
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "requires_payment_method",
        "transfer_data": None,
        "transfer_group": None,
    }
    merge(intent, params, *SETTABLE)
    payment_method = _method(ctx, params)
    if payment_method is not None:
        intent |= {"payment_method": payment_method["id"], "status": "requires_confirmation"}
    ctx.store.put(intent)
    ctx.emit("payment_intent.created", intent)
    return intent


def confirm(ctx: Context, intent: JSON, params: JSON) -> JSON:
    """Confirm an intent with what a request says, and return it; a decline is raised and kept."""
    if intent["status"] not in intents.CONFIRMABLE:
        raise intents.unexpected_state(intent, "confirm")
    merge(intent, params, *(name for name in SETTABLE if name != "transfer_group"))
    payment_method = _method(ctx, params)
    if payment_method is None and intent["payment_method"] is not None:
        payment_method = ctx.store.get("payment_method", intent["payment_method"])
    if payment_method is None:
        message = "You cannot confirm this PaymentIntent because it's missing a payment method."
        extra = {"payment_intent": intent}
        raise Refusal(400, "invalid_request_error", message, code="payment_intent_unexpected_state", extra=extra)
    _check_return_url(ctx, intent, params)
    refusal = intents.confirm(
        ctx,
        intent,
        payment_method,
        off_session=params.get("off_session", False) not in (False, "false"),
        refuse_action=params.get("error_on_requires_action", False),
        return_url=params.get("return_url"),
        by_sdk=params.get("use_stripe_sdk", False),
    )
    if refusal is not None:
        raise refusal
    return intent


@operation("post", "/v1/payment_intents")
async def create(ctx: Context, params: JSON) -> JSON:
    """Make an intent and, with `confirm`, try to pay it at once."""
    if not params.get("confirm"):
        for name in ("off_session", "error_on_requires_action", "return_url", "mandate_data"):
            if name in params:
                raise invalid(f"`{name}` can only be passed together with `confirm`.", param=name)
        return new(ctx, params)
    if "automatic_payment_methods" not in params or params["automatic_payment_methods"]["enabled"]:
        # Refused before anything is stored: a request without a way back makes no intent.
        _check_return_url(ctx, {"automatic_payment_methods": _redirects(params)}, params)
    intent = new(ctx, params)
    if intent["payment_method"] is None:
        message = "You cannot confirm this PaymentIntent because it's missing a payment method."
        raise invalid(message, code="payment_intent_unexpected_state")
    once = {"payment_method", "payment_method_data", "metadata"}
    return confirm(ctx, intent, {name: value for name, value in params.items() if name not in once})


@operation("get", "/v1/payment_intents/{intent}")
async def retrieve(ctx: Context, _: JSON, intent: str) -> JSON:
    """Return an intent."""
    return get(ctx, intent)


@operation("post", "/v1/payment_intents/{intent}")
async def update(ctx: Context, params: JSON, intent: str) -> JSON:
    """Change an intent: amount, currency and method only while it can still be confirmed."""
    found = get(ctx, intent)
    if set(params) - {"metadata", "description", "receipt_email", "shipping", "transfer_group"} and (
        found["status"] not in intents.CONFIRMABLE
    ):
        raise intents.unexpected_state(found, "update")
    if {"amount", "currency", "customer"} & set(params):
        _demand_own_terms(ctx, found, "change the terms of")
    changed = [name for name in TERMS if name in params and params[name] != found.get(name)]
    if changed and intents.waits_for_transfer(found):
        found["next_action"] = None
        intents.move(ctx, found, "requires_confirmation")
    found |= {name: params[name] for name in ("amount", "currency") if name in params}
    found["currency"] = money.check_currency(found["currency"])
    money.check_amount(found["amount"], found["currency"])
    if params.get("customer"):
        customers.get(ctx, params["customer"], param="customer")
    merge(found, params, *SETTABLE, "customer")
    if "payment_method_options" in params:
        found["payment_method_options"] = _options(params)
    payment_method = _method(ctx, params)
    if payment_method is not None:
        found |= {"payment_method": payment_method["id"], "status": "requires_confirmation"}
    ctx.store.put(found)
    return found


@operation("post", "/v1/payment_intents/{intent}/confirm")
async def confirm_one(ctx: Context, params: JSON, intent: str) -> JSON:
    """Try to pay an intent."""
    return confirm(ctx, get(ctx, intent), params)


@operation("post", "/v1/payment_intents/{intent}/capture")
async def capture(ctx: Context, params: JSON, intent: str) -> JSON:
    """Take what was authorized, or a part of it."""
    found = get(ctx, intent)
    merge(found, params, "statement_descriptor", "statement_descriptor_suffix")
    intents.capture(ctx, found, params.get("amount_to_capture"))
    return found


@operation("post", "/v1/payment_intents/{intent}/cancel")
async def cancel(ctx: Context, params: JSON, intent: str) -> JSON:
    """End an intent that has taken no money."""
    found = get(ctx, intent)
    _demand_own_terms(ctx, found, "cancel")
    intents.cancel(ctx, found, params.get("cancellation_reason"))
    return found


@operation("post", "/v1/payment_intents/{intent}/apply_customer_balance")
async def apply_customer_balance(ctx: Context, params: JSON, intent: str) -> JSON:
    """Pay an intent that waits for a bank transfer, or a part of it, with what its customer has sent before."""
    found = get(ctx, intent)
    transfers.apply_by_hand(ctx, found, params.get("amount"), params.get("currency"))
    return found


@operation("get", "/v1/payment_intents")
async def list_all(ctx: Context, params: JSON) -> JSON:
    """List intents, newest first."""
    return lists.answer(ctx, "payment_intent", params, "/v1/payment_intents", "customer")


@operation("get", "/v1/payment_intents/search")
async def search_all(ctx: Context, params: JSON) -> JSON:
    """Find intents by a query."""
    return search.answer(ctx, "payment_intent", params, "/v1/payment_intents/search")


@control("bank_debit")
async def end_bank_debit(ctx: Context, body: JSON) -> JSON:
    """End the bank debit of `payment_intent` with `outcome` `settle` or `fail`, the latter for `reason` if given."""
    found = get(ctx, str(body.get("payment_intent")), param="payment_intent")
    if body.get("outcome", "settle") == "settle":
        intents.settle_debit(ctx, found)
    else:
        intents.fail_debit(ctx, found, body.get("reason"))
    return found


def types(params: JSON, currency: str) -> list[str]:
    """Return the types of payment methods that can pay in this currency, as far as the request allows them."""
    types = ["card"]
    if currency in DELAYED_TYPES:
        types.append(DELAYED_TYPES[currency])
    allowed, excluded = params.get("allowed_payment_method_types"), params.get("excluded_payment_method_types") or ()
    return list(allowed) if allowed else [each for each in types if each not in excluded]


def _options(params: JSON) -> JSON:
    card = {"installments": None, "mandate_options": None, "network": None, "request_three_d_secure": "automatic"}
    given = params.get("payment_method_options") or {}
    return {**given, "card": card | (given.get("card") or {})}


def _method(ctx: Context, params: JSON) -> JSON | None:
    if params.get("payment_method_data"):
        return cards.from_data(ctx, params["payment_method_data"])
    if params.get("payment_method"):
        return cards.resolve(ctx, params["payment_method"])
    return None


def _demand_own_terms(ctx: Context, intent: JSON, verb: str) -> None:
    """Refuse what only the invoice of an intent can be asked for."""
    if ctx.store.get("sandbox.invoice", f"{intent['id']}:invoice") is not None:
        message = f"You cannot {verb} this PaymentIntent: it belongs to an invoice. Void or change that instead."
        raise invalid(message, param="intent")


def _redirects(params: JSON) -> JSON | None:
    if "allowed_payment_method_types" in params:
        return None
    return {"allow_redirects": "always", **(params.get("automatic_payment_methods") or {})}


def _check_return_url(ctx: Context, intent: JSON, params: JSON) -> None:
    automatic = intent["automatic_payment_methods"]
    if automatic is None or automatic["allow_redirects"] == "never" or params.get("return_url") or ctx.publishable:
        return
    message = (
        "Methods that this PaymentIntent accepts may lead the payer to another page. Pass a `return_url`, or create it "
        "with `automatic_payment_methods[allow_redirects]` set to `never`."
    )
    raise invalid(message, param="return_url")
