"""Coupons and tax rates over the API: made, changed, read and listed; and the end of a subscription's discounts."""

from decimal import Decimal
from typing import Any

from dev.sandbox.stripe import discounting, lists, money, subscribing
from dev.sandbox.stripe.core import Context, operation, random_text
from dev.sandbox.stripe.errors import invalid, missing
from dev.sandbox.stripe.operations import products
from dev.sandbox.stripe.parameters import demand_only, merge

JSON = dict[str, Any]

ABOUT_RATE = ("country", "description", "display_name", "jurisdiction", "state", "tax_type")


@operation("post", "/v1/coupons")
async def create(ctx: Context, params: JSON) -> JSON:
    """Make a coupon, under an own id where one is given."""
    _check(ctx, params)
    id = params.get("id") or random_text(8)
    if ctx.store.find(id) is not None:
        raise invalid(f"There is a coupon with the id '{id}' already.", param="id", code="resource_already_exists")
    coupon: JSON = {
        "id": id,
        "object": "coupon",
        "amount_off": params.get("amount_off"),
        "created": ctx.now(),
        "currency": money.check_currency(params["currency"]) if "amount_off" in params else None,
        "duration": params.get("duration", "once"),
        "duration_in_months": params.get("duration_in_months"),
        "livemode": False,
        "max_redemptions": params.get("max_redemptions"),
        "metadata": {},
        "name": params.get("name"),
        "percent_off": params.get("percent_off"),
        "redeem_by": params.get("redeem_by"),
        "times_redeemed": 0,
        "valid": True,
    }
    if "applies_to" in params:
        coupon["applies_to"] = {"products": params["applies_to"].get("products") or []}
    merge(coupon, params)
    ctx.store.put(coupon)
    if "redeem_by" in params:
        ctx.at(params["redeem_by"], "coupons.close", {"coupon": id})
    ctx.emit("coupon.created", coupon)
    return coupon


@operation("get", "/v1/coupons/{coupon}")
async def retrieve(ctx: Context, _: JSON, coupon: str) -> JSON:
    """Return a coupon."""
    return discounting.coupon(ctx, coupon)


@operation("post", "/v1/coupons/{coupon}")
async def update(ctx: Context, params: JSON, coupon: str) -> JSON:
    """Change what a coupon is called; what it takes off cannot be changed."""
    demand_only(params, "a coupon that is there", "metadata", "name")
    found = discounting.coupon(ctx, coupon)
    previous = merge(found, params, "name")
    ctx.store.put(found)
    ctx.emit("coupon.updated", found, previous)
    return found


@operation("delete", "/v1/coupons/{coupon}")
async def delete(ctx: Context, _: JSON, coupon: str) -> JSON:
    """Delete a coupon; customers that have redeemed it keep the discount."""
    found = discounting.coupon(ctx, coupon)
    ctx.store.delete("coupon", coupon)
    ctx.emit("coupon.deleted", found)
    return {"id": coupon, "object": "coupon", "deleted": True}


@operation("get", "/v1/coupons")
async def list_all(ctx: Context, params: JSON) -> JSON:
    """List coupons, newest first."""
    return lists.answer(ctx, "coupon", params, "/v1/coupons")


@operation("delete", "/v1/subscriptions/{subscription}/discount")
async def delete_discount(ctx: Context, _: JSON, subscription: str) -> JSON:
    """Take the discounts of a subscription away."""
    found = subscribing.get(ctx, subscription)
    if not found["discounts"]:
        raise invalid("No active discount for this subscription.", code="resource_missing", status=404)
    id = found["discounts"][-1]
    subscribing.change(ctx, subscription, {"discounts": ""})
    return {"id": id, "object": "discount", "deleted": True}


@operation("post", "/v1/tax_rates")
async def create_rate(ctx: Context, params: JSON) -> JSON:
    """Make a tax rate."""
    if not 0 <= params["percentage"] <= 100:
        raise invalid("A percentage is from 0 to 100.", param="percentage")
    rate: JSON = {
        "id": ctx.new_id("txr"),
        "object": "tax_rate",
        "active": params.get("active", True),
        "country": None,
        "created": ctx.now(),
        "description": None,
        "display_name": params["display_name"],
        "effective_percentage": params["percentage"],
        "flat_amount": None,
        "inclusive": params["inclusive"],
        "jurisdiction": None,
        "jurisdiction_level": None,
        "livemode": False,
        "metadata": {},
        "percentage": params["percentage"],
        "rate_type": "percentage",
        "state": None,
        "tax_type": None,
    }
    merge(rate, params, *ABOUT_RATE)
    ctx.store.put(rate)
    ctx.emit("tax_rate.created", rate)
    return rate


@operation("get", "/v1/tax_rates/{rate}")
async def retrieve_rate(ctx: Context, _: JSON, rate: str) -> JSON:
    """Return a tax rate."""
    return _rate(ctx, rate)


@operation("post", "/v1/tax_rates/{rate}")
async def update_rate(ctx: Context, params: JSON, rate: str) -> JSON:
    """Change what is said of a rate, or let it be used no more; its percentage stays."""
    found = _rate(ctx, rate)
    previous = merge(found, params, *ABOUT_RATE, "active")
    ctx.store.put(found)
    ctx.emit("tax_rate.updated", found, previous)
    return found


@operation("get", "/v1/tax_rates")
async def list_rates(ctx: Context, params: JSON) -> JSON:
    """List tax rates, newest first."""
    return lists.answer(ctx, "tax_rate", params, "/v1/tax_rates", "active", "inclusive")


def _rate(ctx: Context, id: str) -> JSON:
    rate: JSON | None = ctx.store.get("tax_rate", id)
    if rate is None:
        raise missing("tax_rate", id, param="tax_rate")
    return rate


def _check(ctx: Context, params: JSON) -> None:
    if "currency_options" in params:
        raise invalid("This sandbox has coupons in one currency.", param="currency_options")
    if ("amount_off" in params) == ("percent_off" in params):
        raise invalid("Name either `amount_off` or `percent_off`.", param="percent_off", code="parameter_missing")
    if "amount_off" in params and "currency" not in params:
        raise invalid("Missing required param: currency.", param="currency", code="parameter_missing")
    if params.get("amount_off", 1) < 1:
        raise invalid("This value must be greater than or equal to 1.", param="amount_off")
    if not 0 < Decimal(str(params.get("percent_off", 1))) <= 100:
        raise invalid("A coupon takes off more than 0 and at most 100 percent.", param="percent_off")
    if (params.get("duration") == "repeating") != ("duration_in_months" in params):
        message = "`duration_in_months` goes with the duration `repeating`."
        raise invalid(message, param="duration_in_months", code="parameter_missing")
    if params.get("duration_in_months", 1) < 1 or params.get("max_redemptions", 1) < 1:
        raise invalid("This value must be greater than or equal to 1.", param="duration_in_months")
    if params.get("redeem_by", ctx.now() + 1) <= ctx.now():
        raise invalid("A coupon is redeemed before a time that is to come.", param="redeem_by")
    for product in (params.get("applies_to") or {}).get("products") or []:
        products.get(ctx, product, param="applies_to[products]")
