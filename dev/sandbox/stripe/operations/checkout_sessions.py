"""Checkout sessions over the API: opened, read, listed, changed and expired; and paid by the control surface."""

from typing import Any

from dev.sandbox.stripe import cards, checkout, lists, money
from dev.sandbox.stripe.core import Context, Refusal, control, expansion, operation
from dev.sandbox.stripe.errors import invalid, missing
from dev.sandbox.stripe.operations import customers, payment_intents, three_d_secure
from dev.sandbox.stripe.parameters import demand_only, merge, merged_metadata

JSON = dict[str, Any]

SHORTEST_SECONDS, LONGEST_SECONDS = 30 * 60, 86_400


def get(ctx: Context, id: str) -> JSON:
    """Return a checkout session, or refuse."""
    session: JSON | None = ctx.store.get("checkout.session", id)
    if session is None:
        raise missing("checkout.session", id, param="session")
    return session


@operation("post", "/v1/checkout/sessions")
async def create(ctx: Context, params: JSON) -> JSON:
    """Open a session in which a payer can pay once, subscribe, or store a payment method."""
    mode = params.get("mode", "payment")
    _check_ways_back(params)
    if "customer" in params:
        customers.get(ctx, params["customer"], param="customer")
    expires_at = _expiry(ctx, params)
    lines = [await checkout.line(ctx, each, index, mode) for index, each in enumerate(params.get("line_items", []))]
    currency = _currency(params, mode, lines)
    total = subtotal = sum(each["amount_total"] for each in lines) if mode != "setup" else None
    terms = {name: params.get(name) or {} for name in ("payment_intent_data", "setup_intent_data")}
    terms |= {"line_items": lines, "payment_method_options": params.get("payment_method_options")}
    terms["subscription_data"] = _subscription_data(params, mode, lines)
    if mode == "subscription":
        invoice = await checkout.previewed(ctx, params.get("customer"), terms)
        checkout.discount(lines, invoice)
        total, subtotal = invoice["total"], invoice["subtotal"]
    if total:
        money.check_amount(total, currency, param="line_items")
    session = _new(ctx, params) | {
        "amount_subtotal": subtotal,
        "amount_total": total,
        "currency": currency or None,
        "customer_creation": _customer_creation(params, mode),
        "expires_at": expires_at,
        "mode": mode,
        "payment_method_types": payment_intents.types(params, currency),
        "payment_status": "unpaid" if mode != "setup" else "no_payment_required",
    }
    session["discounts"] = [{"coupon": each["coupon"], "promotion_code": None} for each in params.get("discounts", [])]
    for name in ("discount", "tax"):
        session["total_details"][f"amount_{name}"] = sum(each[f"amount_{name}"] for each in lines)
    ctx.store.put(session)
    ctx.store.put({"object": "sandbox.checkout", "id": checkout.private(session), **terms})
    ctx.after(expires_at - ctx.now(), "checkout.expire", {"session": session["id"]})
    return session


@operation("get", "/v1/checkout/sessions/{session}")
async def retrieve(ctx: Context, _: JSON, session: str) -> JSON:
    """Return a session."""
    return get(ctx, session)


@operation("post", "/v1/checkout/sessions/{session}")
async def update(ctx: Context, params: JSON, session: str) -> JSON:
    """Change the metadata of a session."""
    found = get(ctx, session)
    merge(found, params)
    ctx.store.put(found)
    return found


@operation("post", "/v1/checkout/sessions/{session}/expire")
async def expire(ctx: Context, _: JSON, session: str) -> JSON:
    """Close a session that is open."""
    found = get(ctx, session)
    checkout.expire(ctx, found)
    return found


@operation("get", "/v1/checkout/sessions/{session}/line_items")
async def list_lines(ctx: Context, params: JSON, session: str) -> JSON:
    """List what is sold in a session."""
    lines = checkout.lines(ctx, get(ctx, session))
    url = f"/v1/checkout/sessions/{session}/line_items"
    start = 1 + next((at for at, each in enumerate(lines) if each["id"] == params.get("starting_after")), -1)
    page = lines[start : start + lists.limit_of(params)]
    return lists.whole(page, url) | {"has_more": start + len(page) < len(lines)}


@operation("get", "/v1/checkout/sessions")
async def list_all(ctx: Context, params: JSON) -> JSON:
    """List sessions, newest first."""
    fields = ("customer", "payment_intent", "status", "subscription")
    email = params.get("customer_details", {}).get("email")
    equal = {} if email is None else {"customer_details.email": email}
    return lists.answer(ctx, "checkout.session", params, "/v1/checkout/sessions", *fields, **equal)


@expansion("checkout.session", "line_items")
def line_items(ctx: Context, session: JSON) -> JSON:
    """Return the list of lines that a session is answered with when it is asked for."""
    return lists.whole(checkout.lines(ctx, session), f"/v1/checkout/sessions/{session['id']}/line_items")


@control("checkout")
async def pay_session(ctx: Context, body: JSON) -> JSON:
    """Pay `session` as its payer would, with `payment_method`, a test id, or `card`, a test number.

    `outcome` `fail` fails the 3-D Secure that a card asks for; without it the payer passes. The answer has the
    `session` as it is then and the `error` that the payer saw, if any.
    """
    session = get(ctx, str(body.get("session")))
    if "card" in body:
        payment_method = cards.from_data(ctx, {"type": "card", "card": {"number": body["card"]}})
    else:
        payment_method = cards.resolve(ctx, body.get("payment_method", "pm_card_visa"))
    refusal: Refusal | None = await checkout.pay(ctx, session, payment_method)
    waiting = checkout.waits_for(ctx, get(ctx, session["id"]))
    if waiting is not None:
        ended = three_d_secure.finish(ctx, waiting, succeeds=body.get("outcome") != "fail")
        error = ended.get("last_payment_error") or ended.get("last_setup_error")
    else:
        error = refusal.body()["error"] if refusal else None
    return {"session": get(ctx, session["id"]), "error": error}


def _check_ways_back(params: JSON) -> None:
    hosted = params.get("ui_mode", "hosted_page") == "hosted_page"
    wanted = "success_url" if hosted else "return_url"
    if wanted not in params and params.get("redirect_on_completion") != "never":
        raise invalid(f"Missing required param: {wanted}.", param=wanted, code="parameter_missing")


def _expiry(ctx: Context, params: JSON) -> int:
    expires_at: int = params.get("expires_at", ctx.now() + LONGEST_SECONDS)
    # A minute of grace: the caller's clock is not ours.
    if not SHORTEST_SECONDS - 60 <= expires_at - ctx.now() <= LONGEST_SECONDS + 60:
        raise invalid("`expires_at` has to be from 30 minutes to 24 hours ahead.", param="expires_at")
    return expires_at


def _customer_creation(params: JSON, mode: str) -> str | None:
    if mode == "subscription":
        if "customer_creation" in params:
            raise invalid("A subscription always has a customer.", param="customer_creation")
        return None
    return None if "customer" in params else params.get("customer_creation", "if_required")


def _subscription_data(params: JSON, mode: str, lines: list[JSON]) -> JSON:
    given: JSON = params.get("subscription_data") or {}
    if mode != "subscription":
        if given:
            raise invalid("`subscription_data` goes with the mode `subscription`.", param="subscription_data")
        if "discounts" in params:
            raise invalid("This sandbox has discounts in the mode `subscription` only.", param="discounts")
        return {}
    if not any(each["price"]["type"] == "recurring" for each in lines):
        message = "A session of mode `subscription` needs one recurring price at least."
        raise invalid(message, param="line_items")
    for name in ("payment_intent_data", "setup_intent_data"):
        if name in params:
            raise invalid(f"`{name}` does not go with the mode `subscription`.", param=name)
    known = ("billing_cycle_anchor", "default_tax_rates", "description", "metadata", "proration_behavior")
    demand_only(given, "a session's subscription_data", *known, "trial_end", "trial_period_days", "trial_settings")
    return given | ({"discounts": params["discounts"]} if "discounts" in params else {})


def _currency(params: JSON, mode: str, lines: list[JSON]) -> str:
    found = {each["currency"] for each in lines}
    if mode == "setup":
        if lines:
            raise invalid("A session of mode `setup` sells nothing.", param="line_items")
        return money.check_currency(params["currency"]) if "currency" in params else ""
    if not lines:
        raise invalid("Missing required param: line_items.", param="line_items", code="parameter_missing")
    if len(found) > 1:
        raise invalid("All lines of a session need to be in one currency.", param="line_items")
    return str(found.pop())


def _new(ctx: Context, params: JSON) -> JSON:
    id = f"{ctx.new_id('cs_test')}{ctx.new_id('')[1:]}"
    is_hosted = params.get("ui_mode", "hosted_page") == "hosted_page"
    return {
        "id": id,
        "object": "checkout.session",
        "adaptive_pricing": {"enabled": False},
        "after_expiration": None,
        "allow_promotion_codes": params.get("allow_promotion_codes"),
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "billing_address_collection": params.get("billing_address_collection"),
        "cancel_url": params.get("cancel_url"),
        "client_reference_id": params.get("client_reference_id"),
        "client_secret": None if is_hosted else f"{id}_secret_{ctx.new_id('x')[2:]}",
        "collected_information": None,
        "consent": None,
        "consent_collection": None,
        "created": ctx.now(),
        "currency_conversion": None,
        "custom_fields": [],
        "custom_text": {
            "after_submit": None,
            "shipping_address": None,
            "submit": None,
            "terms_of_service_acceptance": None,
        },
        "customer": params.get("customer"),
        "customer_account": None,
        "customer_details": None,
        "customer_email": params.get("customer_email"),
        "discounts": [],
        "invoice": None,
        "livemode": False,
        "locale": params.get("locale"),
        "metadata": merged_metadata({}, params.get("metadata") or {}),
        "origin_context": None,
        "payment_intent": None,
        "payment_link": None,
        "payment_method_collection": "if_required",
        "payment_method_configuration_details": None,
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "permissions": None,
        "phone_number_collection": {"enabled": False},
        "recovered_from": None,
        "redirect_on_completion": None if is_hosted else params.get("redirect_on_completion", "always"),
        "return_url": params.get("return_url"),
        "saved_payment_method_options": None,
        "setup_intent": None,
        "shipping_address_collection": None,
        "shipping_cost": None,
        "shipping_options": [],
        "status": "open",
        "submit_type": params.get("submit_type"),
        "subscription": None,
        "success_url": params.get("success_url"),
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": params.get("ui_mode", "hosted_page"),
        "url": f"{ctx.base_url}/pay/{id}" if is_hosted else None,
        "wallet_options": None,
    }
