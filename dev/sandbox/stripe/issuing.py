"""Issuing: what an issued card may spend, the question about an authorization, and the lines of the issuing balance.

Facts from docs.stripe.com/issuing: controls/spending-controls, controls/real-time-authorizations,
purchases/authorizations, purchases/transactions. Where this sandbox is simpler than Stripe:
    Every merchant charges in the currency of the card unless both amounts are named; nothing is converted.
    Limits count what was authorized or captured in the period in UTC; refunds take nothing off.
    A question that has no answer is declined, as an account can set it.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from datetime import UTC, datetime
from functools import partial
from typing import Any

import httpx2

from dev.sandbox.stripe import money
from dev.sandbox.stripe.conditions import Asking
from dev.sandbox.stripe.core import Context, Sandbox, Suspended
from dev.sandbox.stripe.delivery import signature
from dev.sandbox.stripe.errors import invalid, missing

JSON = dict[str, Any]

QUESTION = "issuing_authorization.request"
ENDPOINT = "issuing/endpoint"
VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(\.\w+)?")
NOT_PROVIDED = "not_provided"
APPROVING = ("card_active", "webhook_approved")
#: The limit that a card has which names none, and the one above which nothing is authorized.
DEFAULT_LIMIT = {"amount": 50_000, "categories": [], "interval": "daily"}
MOST = 1_000_000
CATEGORY_CODES = {
    "computer_software_stores": "5734",
    "computer_network_services": "4816",
    "eating_places_restaurants": "5812",
    "fast_food_restaurants": "5814",
    "hotels_motels_and_resorts": "7011",
    "taxicabs_limousines": "4121",
}


def get(ctx: Context, kind: str, id: str, *, param: str = "id") -> JSON:
    """Return an object of Issuing, or refuse."""
    found: JSON | None = ctx.store.get(f"issuing.{kind}", id)
    if found is None:
        raise missing(f"issuing.{kind}", id, param=param, status=404 if param == "id" else 400)
    return found


def set_endpoint(ctx: Context, url: str, secret: str) -> None:
    """Set the address of real-time authorization webhooks, a Dashboard setting at Stripe."""
    ctx.store.keep(ENDPOINT, {"url": url, "secret": secret})


def wait_for_answers(ctx: Context, seconds: float) -> None:
    """Set for how long an answer to a question is waited for; Stripe waits two seconds."""
    ctx.sandbox.asking = Asking(patience_ms=round(seconds * 1000))


def merchant(sent: JSON) -> JSON:
    """Return the merchant of an authorization or a transaction."""
    category = sent.get("category", "miscellaneous_specialty_retail")
    return {
        "category": category,
        "category_code": CATEGORY_CODES.get(category, "5999"),
        "city": sent.get("city", "San Francisco"),
        "country": sent.get("country", "US"),
        "name": sent.get("name", "Corner Shop"),
        "network_id": sent.get("network_id", "1234567890"),
        "postal_code": sent.get("postal_code", "94107"),
        "state": sent.get("state", "CA"),
        "tax_id": None,
        "terminal_id": sent.get("terminal_id"),
        "url": sent.get("url"),
    }


def save(ctx: Context, authorization: JSON) -> None:
    """Store an authorization with its card and its transactions as they are now."""
    authorization["card"] = get(ctx, "card", authorization["card"]["id"])
    listed = ctx.store.query("issuing.transaction", authorization=authorization["id"])
    authorization["transactions"] = listed[::-1]
    ctx.store.put(authorization)


def line(ctx: Context, type: str, amount: int, currency: str, source: str, *, created: int | None = None) -> JSON:
    """Change the issuing balance, which money leaves and enters at once."""
    more: JSON = {"category": type, "available_on": ctx.now(), "balance_type": "issuing", "created": created}
    return money.record(ctx, type, amount, currency, source=source, **more)


def held(authorization: JSON) -> int:
    """Return what the issuing balance holds for an authorization."""
    return -sum(int(each["amount"]) for each in authorization["balance_transactions"])


def hold(ctx: Context, authorization: JSON, amount: int) -> None:
    """Hold a part of the issuing balance for an authorization; a negative amount releases it."""
    if amount:
        type = "issuing_authorization_hold" if amount > 0 else "issuing_authorization_release"
        made = line(ctx, type, -amount, authorization["currency"], authorization["id"])
        authorization["balance_transactions"].append(made)


def request(ctx: Context, authorization: JSON, amount: int, merchant_amount: int) -> JSON | Suspended:
    """Decide an authorization's amount: by the card's own controls, or by the real-time webhook."""
    authorization["pending_request"] = {
        "amount": amount,
        "amount_details": {"atm_fee": None, "cashback_amount": None},
        "currency": authorization["currency"],
        "is_amount_controllable": False,
        "merchant_amount": merchant_amount,
        "merchant_currency": authorization["merchant_currency"],
        "network_risk_score": None,
    }
    refusal = _refusal(ctx, authorization, amount)
    endpoint = ctx.store.setting(ENDPOINT)
    save(ctx, authorization)
    if refusal or endpoint is None:
        return decide(ctx, authorization, refusal or "card_active")
    event = ctx.record(QUESTION, authorization)

    async def go_on(ctx: Context, reason: str) -> JSON:
        return decide(ctx, get(ctx, "authorization", authorization["id"]), reason)

    return Suspended(partial(ask, ctx.sandbox, endpoint, json.dumps(event)), go_on)


def decide(ctx: Context, authorization: JSON, reason: str) -> JSON:
    """End the request of an authorization that is pending, and return the authorization."""
    asked, approved = authorization["pending_request"], reason in APPROVING
    is_first = not authorization["request_history"]
    before = {name: authorization[name] for name in ("amount", "merchant_amount", "request_history")}
    authorization |= {
        "pending_request": None,
        "request_history": [
            *authorization["request_history"],
            {
                **{name: asked[name] for name in asked if name != "is_amount_controllable"},
                "approved": approved,
                "authorization_code": "123456" if approved else None,
                "created": ctx.now(),
                "reason": reason,
                "reason_message": None,
                "requested_at": ctx.now(),
            },
        ],
    }
    if approved or is_first:
        authorization["amount"] += asked["amount"]
        authorization["merchant_amount"] += asked["merchant_amount"]
    if approved:
        authorization["approved"] = True
        hold(ctx, authorization, asked["amount"])
    elif is_first:
        authorization["status"] = "closed"
    if approved and is_first and asked["amount"]:
        _count_payment(ctx, authorization["card"]["id"])
    save(ctx, authorization)
    if is_first:
        ctx.emit("issuing_authorization.created", authorization)
    else:
        ctx.emit("issuing_authorization.updated", authorization, before)
    return authorization


async def ask(sandbox: Sandbox, endpoint: JSON, question: str) -> str:
    """Ask about an authorization and return the reason of its decision, which comes in time or not at all."""
    asking = sandbox.asking
    lost = asking.losing.strikes()
    try:
        async with asyncio.timeout(asking.patience_ms / 1000), httpx2.AsyncClient(trust_env=False) as http:
            headers = {
                "Content-Type": "application/json; charset=utf-8",
                "Stripe-Signature": signature(question, [endpoint["secret"]], int(time.time())),
                "User-Agent": "Stripe/1.0 (sandbox)",
            }
            copies = [http.post(endpoint["url"], content=question, headers=headers) for _ in range(1 + asking.repeat)]
            reasons = {_read(answer) for answer in await asyncio.gather(*copies)}
    except (TimeoutError, httpx2.TimeoutException):
        return "webhook_timeout"
    except httpx2.HTTPError:
        return "webhook_error"
    if lost:
        return "webhook_timeout"
    return reasons.pop() if len(reasons) == 1 else "webhook_error"


def transact(
    ctx: Context, type: str, card: JSON, amount: int, of: JSON, authorization: str | None, merchant_amount: int
) -> JSON:
    """Create an issuing transaction; amounts are signed from the balance's view.

    Args:
        ctx: The transaction of the sandbox.
        type: `capture` or `refund`.
        card: The card.
        amount: In the card's currency.
        of: Whose `merchant_data` and `merchant_currency` it has.
        authorization: The id of the authorization, if there is one.
        merchant_amount: In the merchant's currency.
    """
    made: JSON = {
        "id": ctx.new_id("ipi"),
        "object": "issuing.transaction",
        "amount": amount,
        "amount_details": {"atm_fee": None, "cashback_amount": None},
        "authorization": authorization,
        "card": card["id"],
        "cardholder": card["cardholder"]["id"],
        "created": ctx.now(),
        "currency": card["currency"],
        "dispute": None,
        "livemode": False,
        "merchant_amount": merchant_amount,
        "merchant_currency": of["merchant_currency"],
        "merchant_data": of["merchant_data"],
        "metadata": {},
        "network_data": None,
        "token": None,
        "type": type,
        "wallet": None,
    }
    made["balance_transaction"] = line(ctx, "issuing_transaction", amount, card["currency"], made["id"])["id"]
    ctx.store.put(made)
    ctx.emit("issuing_transaction.created", made)
    return made


def _read(answer: httpx2.Response) -> str:
    """Return the reason that an answer gives; one that is not as Stripe wants it is an error."""
    try:
        body = answer.json()
    except ValueError:
        return "webhook_error"
    is_json = answer.headers.get("content-type", "application/json").partition(";")[0] == "application/json"
    versioned = VERSION.fullmatch(answer.headers.get("stripe-version", ""))
    if answer.status_code != 200 or not is_json or not versioned or not isinstance(body, dict):
        return "webhook_error"
    if not isinstance(body.get("approved"), bool) or not body.keys() <= {"approved", "metadata"}:
        return "webhook_error"
    return "webhook_approved" if body["approved"] else "webhook_declined"


def _refusal(ctx: Context, authorization: JSON, amount: int) -> str | None:
    """Return why Stripe declines by itself, without asking; None where it does not."""
    card = get(ctx, "card", authorization["card"]["id"])
    holder = card["cardholder"]
    if holder["status"] != "active":
        return f"cardholder_{holder['status']}"
    if card["status"] != "active":
        return f"card_{card['status']}"
    month = datetime.fromtimestamp(ctx.now(), UTC)
    if (card["exp_year"], card["exp_month"]) < (month.year, month.month):
        return "card_expired"
    if not _within_controls(ctx, card, authorization, amount):
        return "spending_controls"
    available = money.totals(ctx, "issuing")["available"].get(card["currency"], 0)
    return "insufficient_funds" if available < amount else None


def _within_controls(ctx: Context, card: JSON, authorization: JSON, amount: int) -> bool:
    controls, seller = card["spending_controls"], authorization["merchant_data"]
    category, country = seller["category"], seller["country"]
    allowed = (
        category in (controls["allowed_categories"] or [category])
        and category not in (controls["blocked_categories"] or [])
        and country in (controls["allowed_merchant_countries"] or [country])
        and country not in (controls["blocked_merchant_countries"] or [])
    )
    total = authorization["amount"] + amount
    return (
        allowed
        and total <= MOST
        and all(
            (total if limit["interval"] == "per_authorization" else _spent(ctx, card, limit) + amount)
            <= limit["amount"]
            for limit in controls["spending_limits"]
            if category in (limit["categories"] or [category])
        )
    )


def _spent(ctx: Context, card: JSON, limit: JSON) -> int:
    """Return what a card has spent in the period of a limit, what is authorized and not yet captured included."""
    categories, since = limit["categories"], _start(ctx.now(), limit["interval"])
    wanted = ("issuing.authorization", {"card.id": card["id"]}), ("issuing.transaction", {"card": card["id"]})
    found = [each for kind, equal in wanted for each in ctx.store.page(kind, equal, created={"gte": since})]
    return sum(
        held(each) if each["object"] == "issuing.authorization" else -int(each["amount"])
        for each in found
        if each.get("type") != "refund" and (not categories or each["merchant_data"]["category"] in categories)
    )


def _start(now: int, interval: str) -> int:
    """Return when the period of a limit began, in UTC; weeks begin on Sunday."""
    day = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    match interval:
        case "daily":
            return int(day.timestamp())
        case "weekly":
            return int(day.timestamp()) - day.isoweekday() % 7 * 86_400
        case "monthly":
            return int(day.replace(day=1).timestamp())
        case "yearly":
            return int(day.replace(month=1, day=1).timestamp())
        case _:
            return 0


def _count_payment(ctx: Context, id: str) -> None:
    """Cancel a card that has made as many payments as it may."""
    card = get(ctx, "card", id)
    controls = card["lifecycle_controls"]
    made = ctx.store.setting(f"issuing/payments/{id}") or 0
    ctx.store.keep(f"issuing/payments/{id}", made + 1)
    if controls and made + 1 >= controls["cancel_after"]["payment_count"]:
        ctx.store.put(card | {"status": "canceled"})
        ctx.emit("issuing_card.updated", card | {"status": "canceled"}, {"status": card["status"]})


def demand_amount(amount: int, *, param: str = "amount") -> None:
    """Refuse an amount below zero."""
    if amount < 0:
        raise invalid("This value must be greater than or equal to 0.", param=param, code="parameter_invalid_integer")
