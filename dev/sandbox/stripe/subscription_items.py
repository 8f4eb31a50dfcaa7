"""The items of a subscription: what each costs for its period, and what a change of it costs for the rest of one.

Facts from docs.stripe.com/billing/subscriptions/prorations. What is unused of an item is credited, and what remains of
the new one is charged, each a line of its own and rounded once. Both wait for the next invoice as invoice items.
"""

import copy
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

from dev.sandbox.stripe import clocks, discounting, invoice_lines, money, periods, taxing
from dev.sandbox.stripe.core import Context
from dev.sandbox.stripe.errors import invalid, missing
from dev.sandbox.stripe.operations import customers, prices, products
from dev.sandbox.stripe.parameters import demand_only, merge

JSON = dict[str, Any]


Replaced = list[tuple[JSON | None, JSON | None]]


def costs(item: JSON, share: Fraction = Fraction(1)) -> int:
    """Return what an item costs for a share of its period, in minor units."""
    return periods.priced(item["price"], item["quantity"], share)


def interval(subscription: JSON) -> JSON:
    """Return the `interval` and `interval_count` that all prices of a subscription have."""
    items = subscription["items"]["data"]
    found = [{name: item["price"]["recurring"][name] for name in ("interval", "interval_count")} for item in items]
    if any(each != found[0] for each in found):
        raise invalid("This sandbox has one interval for all prices of a subscription.", param="items")
    return found[0]


def currency(subscription: JSON, wanted: str | None) -> str:
    """Return the currency that all prices of a subscription have, which is the wanted one if there is one."""
    found = {item["price"]["currency"] for item in subscription["items"]["data"]}
    found |= {wanted.lower()} if wanted else set()
    if len(found) > 1:
        raise invalid("All prices of a subscription need to be in one currency.", param="items")
    return str(found.pop())


def period_of(subscription: JSON) -> tuple[int, int]:
    """Return the current period, which all items share."""
    item = subscription["items"]["data"][0]
    return item["current_period_start"], item["current_period_end"]


def set_period(subscription: JSON, begin: int, end: int) -> None:
    """Set the current period of all items."""
    for item in subscription["items"]["data"]:
        item |= {"current_period_start": begin, "current_period_end": end}


def renew(subscription: JSON, begin: int) -> None:
    """Begin a period that lasts until the next boundary of the billing cycle."""
    end = periods.around(subscription["billing_cycle_anchor"], interval(subscription), begin)[1]
    set_period(subscription, begin, end)


def make(ctx: Context, subscription: JSON, params: JSON, name: str) -> JSON:
    """Return a new item from its parameters, which is not stored yet and has no period."""
    price = _price(ctx, params, name)
    return {
        "id": ctx.new_id("si"),
        "object": "subscription_item",
        "billing_thresholds": None,
        "created": clocks.now(ctx, subscription),
        "current_period_end": 0,
        "current_period_start": 0,
        "discounts": [],
        "metadata": dict(params.get("metadata") or {}),
        "plan": _plan(price),
        "price": price,
        "quantity": _quantity(params, name),
        "subscription": subscription["id"],
        "tax_rates": taxing.rates(ctx, params.get("tax_rates") or [], param=f"{name}[tax_rates]"),
    }


def change(ctx: Context, subscription: JSON, changes: list[JSON]) -> Replaced:
    """Change the items and return what was and what is, for each that costs something else than before."""
    items: list[JSON] = subscription["items"]["data"]
    replaced: Replaced = []
    begin, end = period_of(subscription)
    for at, params in enumerate(changes):
        name = f"items[{at}]"
        if "id" not in params:
            item = make(ctx, subscription, params, name)
            item |= {"current_period_start": begin, "current_period_end": end}
            if any(each["price"]["id"] == item["price"]["id"] for each in items):
                message = f"An item of this subscription already has the price {item['price']['id']}."
                raise invalid(message, param=f"{name}[price]")
            items.append(item)
            replaced.append((None, item))
            continue
        found = [each for each in items if each["id"] == params["id"]]
        if not found:
            raise missing("subscription_item", params["id"], param=f"{name}[id]", status=400)
        item = found[0]
        former = copy.deepcopy(item)
        if params.get("deleted"):
            items.remove(item)
            replaced.append((former, None))
            continue
        if "price" in params or "price_data" in params:
            item["price"] = _price(ctx, params, name)
            item["plan"] = _plan(item["price"])
        if "quantity" in params:
            item["quantity"] = _quantity(params, name)
        if "tax_rates" in params:
            item["tax_rates"] = taxing.rates(ctx, params["tax_rates"], param=f"{name}[tax_rates]")
        merge(item, {"metadata": params["metadata"]} if "metadata" in params else {})
        if (item["price"]["id"], item["quantity"]) != (former["price"]["id"], former["quantity"]):
            replaced.append((former, item))
    if not items:
        raise invalid("A subscription must have at least one active item.", param="items")
    currency(subscription, subscription["currency"])
    return replaced


def bill(ctx: Context, invoice: JSON, item: JSON, share: Fraction = Fraction(1)) -> None:
    """Make a line of what an item costs for its current period, or for a share of a whole one."""
    product = _product(ctx, item)
    if share == 1:
        each = periods.named(item["price"]["recurring"])
        unit = item["price"]["unit_amount"]
        at = f" (at {money.written(unit, invoice['currency'])} {each})" if unit is not None else ""
        text = f"{item['quantity']} x {product}{at}"
    elif share == 0:
        text = f"Trial period for {product}"
    else:
        text = f"Remaining time on {item['quantity']} x {product}"
    invoice_lines.add_period(ctx, invoice, item, costs(item, share), text)


def prorate(ctx: Context, former: JSON, subscription: JSON, replaced: Replaced, at: int) -> None:
    """Credit what is unused of each former item from a moment on, and charge what remains of the new one.

    Both are net of discounts: a credit is of what was charged for the period, a charge of what is in force.
    """
    customer = customers.get(ctx, subscription["customer"])
    for before, after in replaced:
        if before is not None:
            kept = _charged_share(ctx, former, before, at)
            _prorated(ctx, customer, before, at, -kept)
        if after is not None:
            kept = discounting.kept_share(ctx, subscription, subscription["items"]["data"], after, at)
            _prorated(ctx, customer, after, at, kept)


def _prorated(ctx: Context, customer: JSON, item: JSON, at: int, kept: Fraction) -> None:
    begin, end = item["current_period_start"], item["current_period_end"]
    day = datetime.fromtimestamp(at, UTC).strftime("%d %b %Y")
    text = f"{'Unused' if kept < 0 else 'Remaining'} time on {item['quantity']} x {_product(ctx, item)}"
    terms = {
        "amount": costs(item, Fraction(end - at, end - begin) * kept),
        "currency": item["price"]["currency"],
        "date": at,
        "description": f"{text} after {day}",
        "metadata": item["metadata"],
        "period": {"start": at, "end": end},
        "price": item["price"],
        "proration": True,
        "quantity": item["quantity"],
        "subscription": item["subscription"],
        "subscription_item": item["id"],
        "tax_rates": item["tax_rates"],
    }
    invoice_lines.item(ctx, customer, terms)


def _charged_share(ctx: Context, subscription: JSON, item: JSON, at: int) -> Fraction:
    """Return the share of its price that was charged for an item's period, after the discounts of then."""
    for invoice in ctx.store.query("invoice", customer=subscription["customer"]):
        for line in invoice["lines"]["data"]:
            details = (line["parent"] or {}).get("subscription_item_details") or {}
            is_of_item = details.get("subscription_item") == item["id"] and not details["proration"]
            if is_of_item and line["period"]["end"] == item["current_period_end"] and line["amount"]:
                return Fraction(discounting.net(line), line["amount"])
    return discounting.kept_share(ctx, subscription, subscription["items"]["data"], item, at)


def _price(ctx: Context, params: JSON, name: str) -> JSON:
    known = ("id", "deleted", "metadata", "price", "price_data", "quantity", "tax_rates")
    demand_only(params, "a subscription's item", *known)
    if ("price" in params) == ("price_data" in params):
        message = f"Name either {name}[price] or {name}[price_data]."
        raise invalid(message, param=f"{name}[price]", code="parameter_missing")
    if isinstance(params.get("price"), dict):
        # A line of a checkout session, whose price may have been made for it alone.
        price: JSON = params["price"]
    elif "price" in params:
        price = prices.get(ctx, params["price"], param=f"{name}[price]")
        if not price["active"]:
            raise invalid(f"The price {price['id']} is inactive.", param=f"{name}[price]")
    else:
        products.get(ctx, params["price_data"]["product"], param=f"{name}[price_data][product]")
        price = prices.make(ctx, {**params["price_data"], "active": False})
    if price["type"] != "recurring":
        message = f"The price {price['id']} is not recurring. A subscription only has recurring prices."
        raise invalid(message, param=f"{name}[price]")
    if price["recurring"]["usage_type"] != "licensed":
        raise invalid("This sandbox does not have metered prices yet.", param=f"{name}[price]")
    return price


def _quantity(params: JSON, name: str) -> int:
    quantity: int = params.get("quantity", 1)
    if quantity < 0:
        raise invalid("This value must be greater than or equal to 0.", param=f"{name}[quantity]")
    return quantity


def _plan(price: JSON) -> JSON:
    recurring = price["recurring"]
    same = ("id", "active", "billing_scheme", "created", "currency", "livemode", "metadata", "nickname", "product")
    return {name: price[name] for name in same} | {
        "object": "plan",
        "amount": price["unit_amount"],
        "amount_decimal": price["unit_amount_decimal"],
        "interval": recurring["interval"],
        "interval_count": recurring["interval_count"],
        "meter": None,
        "tiers_mode": None,
        "transform_usage": price["transform_quantity"],
        "trial_period_days": None,
        "usage_type": recurring["usage_type"],
    }


def _product(ctx: Context, item: JSON) -> str:
    product = ctx.store.get("product", item["price"]["product"]) or {}
    return str(product.get("name", item["price"]["product"]))
