"""Cardholders and virtual cards, the issuing balance, and the keys that a browser shows a card's number with.

The number and the security code are kept apart from the card, and no operation of the API answers them.
"""

import re
import secrets
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from dev.sandbox.stripe import issuing, lists, money
from dev.sandbox.stripe.conditions import Asking
from dev.sandbox.stripe.core import Context, control, operation, page, random_text
from dev.sandbox.stripe.errors import invalid
from dev.sandbox.stripe.parameters import demand_only, merge

JSON = dict[str, Any]

KEY_SECONDS = 900
#: What every number begins with; no issuer has it.
BIN = "400000999"
CONTROLS = (
    *("allowed_card_presences", "allowed_categories", "allowed_merchant_countries"),
    *("blocked_card_presences", "blocked_categories", "blocked_merchant_countries"),
)


@operation("post", "/v1/issuing/cardholders")
async def create_cardholder(ctx: Context, params: JSON) -> JSON:
    """Make a company that holds cards."""
    if params.get("type") != "company":
        raise invalid("This sandbox has cardholders that are companies only.", param="type")
    demand_only(params, "cardholders", "type", "name", "email", "phone_number", "billing", "metadata", "status")
    if not re.fullmatch(r"[A-Za-z][A-Za-z .,'-]{0,23}", params["name"]):
        raise invalid("The name of a cardholder has at most 24 letters, without special characters.", param="name")
    holder: JSON = {
        "id": ctx.new_id("ich"),
        "object": "issuing.cardholder",
        "billing": {"address": {"line2": None, "state": None} | params["billing"]["address"]},
        "company": {"tax_id_provided": False},
        "created": ctx.now(),
        "email": None,
        "individual": None,
        "livemode": False,
        "metadata": {},
        "name": None,
        "phone_number": None,
        "preferred_locales": [],
        "requirements": {"disabled_reason": None, "past_due": []},
        "spending_controls": None,
        "status": params.get("status", "active"),
        "type": "company",
    }
    merge(holder, params, "name", "email", "phone_number")
    ctx.store.put(holder)
    ctx.emit("issuing_cardholder.created", holder)
    return holder


@operation("get", "/v1/issuing/cardholders/{cardholder}")
async def retrieve_cardholder(ctx: Context, _: JSON, cardholder: str) -> JSON:
    """Return a cardholder."""
    return issuing.get(ctx, "cardholder", cardholder)


@operation("get", "/v1/issuing/cardholders")
async def list_cardholders(ctx: Context, params: JSON) -> JSON:
    """List cardholders, newest first."""
    return lists.answer(
        ctx, "issuing.cardholder", params, "/v1/issuing/cardholders", "email", "phone_number", "status", "type"
    )


@operation("post", "/v1/issuing/cards")
async def create_card(ctx: Context, params: JSON) -> JSON:
    """Make a virtual card, and its number where no operation answers it."""
    if params["type"] != "virtual" or "cardholder" not in params:
        raise invalid("This sandbox has virtual cards of cardholders only.", param="type")
    demand_only(
        params,
        "cards",
        *("type", "cardholder", "currency", "metadata", "spending_controls", "status", "lifecycle_controls"),
    )
    number = _number()
    year = datetime.fromtimestamp(ctx.now(), UTC).year
    card: JSON = {
        "id": ctx.new_id("ic"),
        "object": "issuing.card",
        "brand": "Visa",
        "cancellation_reason": None,
        "cardholder": issuing.get(ctx, "cardholder", params["cardholder"], param="cardholder"),
        "created": ctx.now(),
        "currency": money.check_currency(params["currency"]),
        "exp_month": 12,
        "exp_year": year + 3,
        "financial_account": None,
        "last4": number[-4:],
        "latest_fraud_warning": None,
        "lifecycle_controls": params.get("lifecycle_controls"),
        "livemode": False,
        "metadata": {},
        "personalization_design": None,
        "replaced_by": None,
        "replacement_for": None,
        "replacement_reason": None,
        "second_line": None,
        "shipping": None,
        "spending_controls": dict.fromkeys(CONTROLS),
        "status": params.get("status", "inactive"),
        "type": "virtual",
        "wallets": None,
    }
    merge(card, params)
    _set_controls(card, {"spending_limits": [issuing.DEFAULT_LIMIT]} | params.get("spending_controls", {}))
    ctx.store.put(card)
    ctx.store.keep(f"issuing/number/{card['id']}", {"number": number, "cvc": f"{secrets.randbelow(1000):03}"})
    ctx.emit("issuing_card.created", card)
    return card


@operation("get", "/v1/issuing/cards/{card}")
async def retrieve_card(ctx: Context, _: JSON, card: str) -> JSON:
    """Return a card, without its number."""
    return issuing.get(ctx, "card", card)


@operation("get", "/v1/issuing/cards")
async def list_cards(ctx: Context, params: JSON) -> JSON:
    """List cards, newest first."""
    of = {"cardholder.id": params["cardholder"]} if "cardholder" in params else {}
    return lists.answer(ctx, "issuing.card", params, "/v1/issuing/cards", "last4", "status", "type", **of)


@operation("post", "/v1/issuing/cards/{card}")
async def update_card(ctx: Context, params: JSON, card: str) -> JSON:
    """Freeze, thaw or cancel a card, or change its controls; a cancelled one stays so."""
    found = issuing.get(ctx, "card", card)
    demand_only(params, "cards", "status", "cancellation_reason", "metadata", "spending_controls")
    if found["status"] == "canceled" and params.keys() - {"metadata"}:
        raise invalid("This card has been canceled, so it cannot be changed.", param="status")
    before = merge(found, params, "status", "cancellation_reason")
    if "spending_controls" in params:
        before["spending_controls"] = dict(found["spending_controls"])
        _set_controls(found, params["spending_controls"])
    ctx.store.put(found)
    ctx.emit("issuing_card.updated", found, before)
    return found


@operation("post", "/v1/ephemeral_keys")
async def create_ephemeral_key(ctx: Context, params: JSON) -> JSON:
    """Make a key with which the browser of the nonce shows one card."""
    demand_only(params, "ephemeral keys", "issuing_card", "nonce")
    card, nonce = params.get("issuing_card", ""), params.get("nonce", "")
    issuing.get(ctx, "card", card, param="issuing_card")
    if ctx.store.setting(f"issuing/nonce/{nonce}") != card:
        raise invalid("This nonce is unknown, used, or of another card.", param="nonce")
    ctx.store.keep(f"issuing/nonce/{nonce}", None)
    secret = "ek_test_" + random_text(40)
    until = ctx.now() + KEY_SECONDS
    ctx.store.keep(f"issuing/key/{secret}", {"card": card, "nonce": nonce, "until": until})
    return {
        "id": ctx.new_id("ephkey"),
        "object": "ephemeral_key",
        "created": ctx.now(),
        "expires": until,
        "livemode": False,
        "secret": secret,
    }


@page("POST", "/elements/issuing/nonce")
async def create_nonce(request: Request) -> Response:
    """Make what a browser has its key made with, as `createEphemeralKeyNonce` asks for."""
    card, nonce = (await request.json()).get("card"), "ephkn_" + random_text(24)
    async with request.app.state.sandbox.transaction() as ctx:
        if ctx.store.get("issuing.card", str(card)) is None:
            return JSONResponse({"error": "There is no such card."}, 404)
        ctx.store.keep(f"issuing/nonce/{nonce}", card)
    return JSONResponse({"nonce": nonce})


@page("POST", "/elements/issuing/card")
async def reveal(request: Request) -> Response:
    """Answer the number of a card to the element of the sandbox's own origin that has its key and nonce."""
    body = await request.json()
    async with request.app.state.sandbox.transaction() as ctx:
        key = ctx.store.setting(f"issuing/key/{body.get('key')}")
        wanted = {"card": body.get("card"), "nonce": body.get("nonce")}
        if key is None or key | wanted != key or key["until"] < ctx.now():
            return JSONResponse({"error": "This key does not show this card."}, 403)
        card = issuing.get(ctx, "card", key["card"])
        kept = ctx.store.setting(f"issuing/number/{card['id']}")
    return JSONResponse(kept | {"expiry": f"{card['exp_month']:02}/{card['exp_year'] % 100}"})


@control("issuing/fund")
async def fund(ctx: Context, body: JSON) -> JSON:
    """Add to the issuing balance by a top-up of a year ago, `amount` and `currency`: no statement of today has it."""
    amount, currency = int(body["amount"]), money.check_currency(body.get("currency", "usd"))
    created = ctx.now() - 366 * 86_400
    topup: JSON = {
        "id": ctx.new_id("tu"),
        "object": "topup",
        "amount": amount,
        "balance_transaction": None,
        "created": created,
        "currency": currency,
        "description": "Top-up of the issuing balance",
        "expected_availability_date": created,
        "failure_code": None,
        "failure_message": None,
        "livemode": False,
        "metadata": {},
        "source": None,
        "statement_descriptor": None,
        "status": "succeeded",
        "transfer_group": None,
    }
    topup["balance_transaction"] = issuing.line(ctx, "topup", amount, currency, topup["id"], created=created)["id"]
    ctx.store.put(topup)
    return {"available": money.totals(ctx, "issuing")["available"].get(currency, 0)}


@control("issuing/endpoint")
async def endpoint(ctx: Context, body: JSON) -> JSON:
    """Set where authorizations are asked about: `url` and `secret`; `{}` has nobody asked, and all approved."""
    ctx.store.keep(issuing.ENDPOINT, {"url": body["url"], "secret": body["secret"]} if body else None)
    return body


@control("issuing/asking")
async def asking(ctx: Context, body: JSON) -> JSON:
    """Replace the conditions of questions, `Asking`; `{}` is what Stripe does."""
    ctx.sandbox.asking = Asking.read(body)
    return body


def _set_controls(card: JSON, sent: JSON) -> None:
    controls = card["spending_controls"] | sent
    controls["spending_limits"] = [{"categories": [], **each} for each in controls["spending_limits"]]
    card["spending_controls"] = controls | {"spending_limits_currency": card["currency"]}


def _number() -> str:
    """Return a number that no issuer has, its last digit the check digit (Luhn)."""
    digits = BIN + f"{secrets.randbelow(10**6):06}"
    total = sum(sum(divmod(2 * int(digit), 10)) if at % 2 == 0 else int(digit) for at, digit in enumerate(digits))
    return digits + str(-total % 10)
