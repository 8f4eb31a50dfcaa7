"""Prices: what a product costs, once or in turn, in one currency and without tiers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from dev.sandbox.stripe import lists, search
from dev.sandbox.stripe.core import Context, operation
from dev.sandbox.stripe.errors import invalid, missing
from dev.sandbox.stripe.parameters import merge

JSON = dict[str, Any]
NOT_HERE = ("currency_options", "custom_unit_amount", "tiers", "tiers_mode")
MAX_AMOUNT = 99_999_999


def get(ctx: Context, id: str, *, param: str = "price") -> JSON:
    """Returns a price.

    Raises:
        Refusal: There is none.
    """
    price = ctx.store.get("price", id)
    if price is None:
        raise missing("price", id, param=param, status=404 if param == "price" else 400)
    return price


def amounts(params: JSON) -> JSON:
    """Returns what one unit costs, as a whole number of minor units where it is one, and as a decimal.

    Raises:
        Refusal: It is not said, said twice, negative or finer than twelve decimals.
    """
    given = [name for name in ("unit_amount", "unit_amount_decimal") if name in params]
    if len(given) != 1:
        message = "Name either `unit_amount` or `unit_amount_decimal`."
        raise invalid(message, param="unit_amount", code="parameter_missing" if not given else None)
    exact = Decimal(params[given[0]])
    if exact < 0 or exact > MAX_AMOUNT:
        raise invalid("Invalid amount.", param=given[0], code="parameter_invalid_integer")
    if exact != exact.quantize(Decimal(10) ** -12):
        raise invalid("An amount has at most 12 decimals.", param=given[0])
    plain = format(exact.normalize(), "f")
    return {"unit_amount": int(exact) if exact == int(exact) else None, "unit_amount_decimal": plain}


def make(ctx: Context, params: JSON) -> JSON:
    """Stores a price of a product and returns it.

    Raises:
        Refusal: It asks for what is not here, or cannot be.
    """
    for name in NOT_HERE:
        if name in params:
            raise invalid(f"This sandbox does not have the parameter {name} of a price yet.", param=name)
    if params.get("billing_scheme", "per_unit") != "per_unit":
        raise invalid("This sandbox does not have tiered prices yet.", param="billing_scheme")
    currency = params["currency"].lower()
    if len(currency) != 3 or not currency.isalpha():
        raise invalid(f"Invalid currency: {currency}.", param="currency")
    recurring = params.get("recurring")
    if recurring is not None:
        recurring = {
            "interval_count": 1,
            "meter": None,
            "trial_period_days": None,
            "usage_type": "licensed",
            **recurring,
        }
    price: JSON = {
        "id": ctx.new_id("price"),
        "object": "price",
        "active": params.get("active", True),
        "billing_scheme": "per_unit",
        "created": ctx.now(),
        "currency": currency,
        "custom_unit_amount": None,
        "livemode": False,
        "lookup_key": None,
        "metadata": {},
        "nickname": params.get("nickname"),
        "product": params["product"],
        "recurring": recurring,
        "tax_behavior": params.get("tax_behavior", "unspecified"),
        "tiers_mode": None,
        "transform_quantity": params.get("transform_quantity"),
        "type": "one_time" if recurring is None else "recurring",
        **amounts(params),
    }
    merge(price, params)
    take_lookup_key(ctx, price, params)
    ctx.store.put(price)
    ctx.emit("price.created", price)
    return price


def take_lookup_key(ctx: Context, price: JSON, params: JSON) -> None:
    """Gives a price the lookup key that is asked for, taking it from another one where that is allowed."""
    key = params.get("lookup_key")
    if not key:
        return
    for other in ctx.store.query("price", lookup_key=key):
        if other["id"] != price["id"]:
            if not params.get("transfer_lookup_key"):
                raise invalid(f"A price `{other['id']}` already uses that lookup key.", param="lookup_key")
            other["lookup_key"] = None
            ctx.store.put(other)
            ctx.emit("price.updated", other, {"lookup_key": key})
    price["lookup_key"] = key


@operation("post", "/v1/prices")
async def create(ctx: Context, params: JSON) -> JSON:
    """Makes a price of a product that is there, or of one that is described with it."""
    from dev.sandbox.stripe.operations import products

    if ("product" in params) == ("product_data" in params):
        raise invalid("Name either `product` or `product_data`.", param="product", code="parameter_missing")
    if "product" in params:
        products.get(ctx, params["product"], param="product")
        return make(ctx, params)
    product = await products.create(ctx, params["product_data"])
    return make(ctx, {**params, "product": product["id"]})


@operation("get", "/v1/prices/{price}")
async def retrieve(ctx: Context, _: JSON, price: str) -> JSON:
    """Returns a price."""
    return get(ctx, price)


@operation("post", "/v1/prices/{price}")
async def update(ctx: Context, params: JSON, price: str) -> JSON:
    """Changes a price; what it costs cannot be changed."""
    if "currency_options" in params:
        message = "This sandbox does not have the parameter currency_options of a price yet."
        raise invalid(message, param="currency_options")
    found = get(ctx, price)
    former = found["lookup_key"]
    previous = merge(found, params, "active", "nickname", "tax_behavior")
    take_lookup_key(ctx, found, params)
    if found["lookup_key"] != former:
        previous["lookup_key"] = former
    if previous:
        ctx.store.put(found)
        ctx.emit("price.updated", found, previous)
    return found


@operation("get", "/v1/prices")
async def list_all(ctx: Context, params: JSON) -> JSON:
    """Lists prices, newest first."""
    chosen: JSON = {"lookup_key": params["lookup_keys"]} if "lookup_keys" in params else {}
    for name, value in params.get("recurring", {}).items():
        chosen[f"recurring.{name}"] = value
    return lists.answer(ctx, "price", params, "/v1/prices", "active", "currency", "product", "type", **chosen)


@operation("get", "/v1/prices/search")
async def find(ctx: Context, params: JSON) -> JSON:
    """Searches prices."""
    return search.answer(ctx, "price", params, "/v1/prices/search")
