"""Authorizations of issued cards: read over the API, and what merchants do with them as Stripe's test helpers."""

from typing import Any

from dev.sandbox.stripe import issuing, lists
from dev.sandbox.stripe.core import Context, Suspended, operation
from dev.sandbox.stripe.errors import invalid
from dev.sandbox.stripe.parameters import demand_only

JSON = dict[str, Any]

HELPERS = "/v1/test_helpers/issuing/authorizations"


@operation("get", "/v1/issuing/authorizations/{authorization}")
async def retrieve(ctx: Context, _: JSON, authorization: str) -> JSON:
    """Return an authorization."""
    return issuing.get(ctx, "authorization", authorization)


@operation("get", "/v1/issuing/authorizations")
async def list_all(ctx: Context, params: JSON) -> JSON:
    """List authorizations, newest first."""
    of = {"card.id": params["card"]} if "card" in params else {}
    return lists.answer(
        ctx, "issuing.authorization", params, "/v1/issuing/authorizations", "cardholder", "status", **of
    )


@operation("post", HELPERS)
async def create(ctx: Context, params: JSON) -> JSON | Suspended:
    """Create an authorization of an amount, as a merchant does."""
    demand_only(
        params,
        "authorizations",
        *("amount", "authorization_method", "card", "currency"),
        *("merchant_amount", "merchant_currency", "merchant_data"),
    )
    card = issuing.get(ctx, "card", params["card"], param="card")
    amount, merchant_amount, merchant_currency = _amounts(card, params)
    authorization: JSON = {
        "id": ctx.new_id("iauth"),
        "object": "issuing.authorization",
        "amount": 0,
        "amount_details": {"atm_fee": None, "cashback_amount": None},
        "approved": False,
        "authorization_method": params.get("authorization_method", "online"),
        "balance_transactions": [],
        "card": card,
        "card_presence": "not_present",
        "cardholder": card["cardholder"]["id"],
        "created": ctx.now(),
        "currency": card["currency"],
        "fleet": None,
        "fraud_challenges": None,
        "fuel": None,
        "livemode": False,
        "merchant_amount": 0,
        "merchant_currency": merchant_currency,
        "merchant_data": issuing.merchant(params.get("merchant_data", {})),
        "metadata": {},
        "network_data": None,
        "pending_request": None,
        "request_history": [],
        "status": "pending",
        "token": None,
        "transactions": [],
        "verification_data": {
            "address_line1_check": issuing.NOT_PROVIDED,
            "address_postal_code_check": issuing.NOT_PROVIDED,
            "authentication_exemption": None,
            "cvc_check": "match",
            "expiry_check": "match",
            "postal_code": None,
            "three_d_secure": None,
        },
        "verified_by_fraud_challenge": None,
        "wallet": None,
    }
    return issuing.request(ctx, authorization, amount, merchant_amount)


@operation("post", HELPERS + "/{authorization}/increment")
async def increment(ctx: Context, params: JSON, authorization: str) -> JSON | Suspended:
    """Increment an open authorization."""
    demand_only(params, "increments", "increment_amount")
    found = _decided(ctx, authorization, "pending")
    amount = params["increment_amount"]
    issuing.demand_amount(amount, param="increment_amount")
    return issuing.request(ctx, found, amount, _abroad(found, amount))


@operation("post", HELPERS + "/{authorization}/capture")
async def capture(ctx: Context, params: JSON, authorization: str) -> JSON:
    """Capture an amount, which may differ from the authorized one.

    A merchant may also capture what has expired, and what was declined: the card network lets it.
    """
    demand_only(params, "captures", "capture_amount", "close_authorization")
    found = _decided(ctx, authorization, "pending", "expired", "closed")
    if found["status"] == "closed" and (found["approved"] or found["transactions"]):
        raise invalid("This authorization was captured and closed.", param="authorization")
    amount: int = params["capture_amount"] if "capture_amount" in params else found["amount"]
    closes = params.get("close_authorization", True)
    if amount <= 0:
        raise invalid("A capture takes more than nothing.", param="capture_amount")
    before = {"status": found["status"], "transactions": found["transactions"]}
    issuing.hold(ctx, found, -(issuing.held(found) if closes else min(issuing.held(found), amount)))
    issuing.transact(ctx, "capture", found["card"], -amount, found, found["id"], -_abroad(found, amount))
    return _changed(ctx, found, before, status="closed" if closes else found["status"])


@operation("post", HELPERS + "/{authorization}/reverse")
async def reverse(ctx: Context, params: JSON, authorization: str) -> JSON:
    """Reverse an authorization, or a part of it."""
    found = _decided(ctx, authorization, "pending")
    amount: int = params["reverse_amount"] if "reverse_amount" in params else found["amount"]
    if not 0 <= amount <= found["amount"]:
        raise invalid("No more can be reversed than is authorized.", param="reverse_amount")
    before = {name: found[name] for name in ("amount", "merchant_amount", "status")}
    issuing.hold(ctx, found, -min(issuing.held(found), amount))
    found["merchant_amount"] -= _abroad(found, amount)
    found["amount"] -= amount
    return _changed(ctx, found, before, status="pending" if found["amount"] else "reversed")


@operation("post", HELPERS + "/{authorization}/expire")
async def expire(ctx: Context, _: JSON, authorization: str) -> JSON:
    """Release an authorization that nobody has captured in time."""
    found = _decided(ctx, authorization, "pending")
    issuing.hold(ctx, found, -issuing.held(found))
    return _changed(ctx, found, {"status": found["status"]}, status="expired")


def _decided(ctx: Context, id: str, *statuses: str) -> JSON:
    found = issuing.get(ctx, "authorization", id)
    if found["pending_request"] is not None:
        raise invalid("This authorization is being decided.", param="authorization")
    if found["status"] not in statuses:
        raise invalid(f"This authorization is {found['status']}.", param="authorization")
    return found


def _changed(ctx: Context, authorization: JSON, before: JSON, *, status: str) -> JSON:
    authorization["status"] = status
    issuing.save(ctx, authorization)
    ctx.emit("issuing_authorization.updated", authorization, before)
    return authorization


def _abroad(authorization: JSON, amount: int) -> int:
    """Return an amount in the merchant's currency, at the rate of the authorization."""
    if authorization["amount"] in (0, authorization["merchant_amount"]):
        return amount
    return int(amount * authorization["merchant_amount"] // authorization["amount"])


def _amounts(card: JSON, params: JSON) -> tuple[int, int, str]:
    """Return the amount in the card's currency and in the merchant's, and the latter."""
    currency = str(card["currency"])
    if params.get("currency", currency) != currency:
        raise invalid("The currency of an authorization is the card's.", param="currency")
    merchant_currency: str = params.get("merchant_currency", currency)
    if merchant_currency != currency and not {"amount", "merchant_amount"} <= params.keys():
        raise invalid("This sandbox converts nothing: name both amounts.", param="merchant_amount")
    sent = {"amount": params.get("merchant_amount", 0), **params}
    amount = sent["amount"]
    issuing.demand_amount(amount)
    return amount, sent.get("merchant_amount", amount), merchant_currency
