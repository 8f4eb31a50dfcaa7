"""Coupons at work: the discounts of a subscription, and what they take off the lines of its invoices.

Facts from docs.stripe.com/billing/subscriptions/coupons. Discounts are applied one after the other. A fixed amount is
spread over the lines by what each still costs, so that the parts add up to it. A coupon that counts `once` is used up
by the first invoice that it takes something off.
"""

from decimal import Decimal
from fractions import Fraction
from typing import Any

from dev.sandbox.stripe import clocks, periods
from dev.sandbox.stripe.core import Context, task
from dev.sandbox.stripe.errors import invalid, missing
from dev.sandbox.stripe.periods import rounded

JSON = dict[str, Any]


def coupon(ctx: Context, id: str, *, param: str = "coupon", status: int = 404) -> JSON:
    """Return a coupon, or refuse."""
    found: JSON | None = ctx.store.get("coupon", id)
    if found is None or found.get("deleted"):
        raise missing("coupon", id, param=param, status=status)
    return found


def coupon_of(ctx: Context, discount: JSON) -> JSON:
    """Return the coupon of a discount as it was when it was redeemed, also when it has been deleted since."""
    found: JSON | None = ctx.store.get("sandbox.coupon", f"{discount['source']['coupon']}:coupon")
    assert found is not None
    return found["coupon"]  # type: ignore[no-any-return]


def redeem(ctx: Context, subscription: JSON, wanted: list[JSON] | str, name: str = "discounts") -> None:
    """Give a subscription the discounts that are named by coupon or by themselves, and take the others away."""
    kept: list[str] = []
    for at, each in enumerate(wanted or []):
        if not isinstance(each, dict) or len(each) != 1 or "promotion_code" in each:
            raise invalid("Name one `coupon` or one `discount` for each.", param=f"{name}[{at}]")
        if "discount" in each:
            if each["discount"] not in subscription["discounts"]:
                raise missing("discount", each["discount"], param=f"{name}[{at}][discount]", status=400)
            kept.append(each["discount"])
        else:
            kept.append(_discount(ctx, subscription, each["coupon"], f"{name}[{at}][coupon]"))
    for id in subscription["discounts"]:
        if id not in kept:
            drop(ctx, id)
    subscription["discounts"] = kept


def drop(ctx: Context, id: str) -> JSON:
    """Take a discount away, and return what is left of it."""
    discount: JSON = ctx.store.get("discount", id) or {}
    ctx.emit("customer.discount.deleted", discount)
    return discount


def in_force(ctx: Context, subscription: JSON, at: int) -> list[str]:
    """Return the discounts of a subscription that have not ended."""
    found = [ctx.store.get("discount", id) for id in subscription["discounts"]]
    return [each["id"] for each in found if each and (each["end"] is None or at < each["end"])]


def use_up(ctx: Context, subscription: JSON, invoice: JSON) -> None:
    """Take the discounts away that count once, if an invoice has had them."""
    taken = {each["discount"] for each in invoice["total_discount_amounts"] if each["amount"]}
    for id in [each for each in subscription["discounts"] if each in taken]:
        discount = ctx.store.get("discount", id)
        if discount is not None and coupon_of(ctx, discount)["duration"] == "once":
            subscription["discounts"].remove(id)
            drop(ctx, id)


def apply(ctx: Context, invoice: JSON) -> None:
    """Set what the discounts of an invoice take off each of its lines."""
    lines = [line for line in invoice["lines"]["data"] if line["discountable"] and line["amount"] > 0]
    for line in lines:
        line["discount_amounts"] = []
    for id in invoice["discounts"]:
        discount = ctx.store.get("discount", id)
        if discount is None:
            continue
        terms = coupon_of(ctx, discount)
        chosen = [line for line in lines if _applies(terms, _product_of(line))]
        parts = taken(terms, [net(line) for line in chosen])
        for line, amount in zip(chosen, parts, strict=True):
            line["discount_amounts"].append({"amount": amount, "discount": id})


def net(line: JSON) -> int:
    """Return what a line costs after its discounts."""
    amount: int = line["amount"] - sum(each["amount"] for each in line["discount_amounts"])
    return amount


def taken(terms: JSON, amounts: list[int]) -> list[int]:
    """Return what a coupon takes off each of some amounts."""
    if terms["percent_off"] is not None:
        share = Fraction(Decimal(str(terms["percent_off"]))) / 100
        return [rounded(amount * share) for amount in amounts]
    whole = sum(amounts)
    off = min(terms["amount_off"], whole)
    parts, given, seen = [], 0, 0
    for amount in amounts:
        seen += amount
        upto = rounded(Fraction(off * seen, whole)) if whole else 0
        parts.append(upto - given)
        given = upto
    return parts


def kept_share(ctx: Context, subscription: JSON, items: list[JSON], item: JSON, at: int) -> Fraction:
    """Return the share of an item's price that the discounts in force leave to pay."""
    amounts = [periods.priced(each["price"], each["quantity"]) for each in items]
    here = next(at for at, each in enumerate(items) if each["id"] == item["id"])
    left = list(amounts)
    for id in in_force(ctx, subscription, at):
        discount = ctx.store.get("discount", id)
        assert discount is not None
        terms = coupon_of(ctx, discount)
        chosen = [index for index, each in enumerate(items) if _applies(terms, each["price"]["product"])]
        for index, amount in zip(chosen, taken(terms, [left[index] for index in chosen]), strict=True):
            left[index] -= amount
    return Fraction(left[here], amounts[here]) if amounts[here] else Fraction(1)


@task("coupons.close")
async def close(ctx: Context, coupon: str) -> None:
    """Expire a coupon whose time has come."""
    found = ctx.store.get("coupon", coupon)
    if found is not None and not found.get("deleted"):
        ctx.store.put(found | {"valid": False})


def _discount(ctx: Context, subscription: JSON, id: str, name: str) -> str:
    found = coupon(ctx, id, param=name, status=400)
    if not found["valid"]:
        raise invalid(f"Coupon {id} is used up or has expired.", param=name, code="coupon_expired")
    if found["currency"] not in (None, subscription["currency"]):
        raise invalid(f"Coupon {id} is in {found['currency']}.", param=name)
    found["times_redeemed"] += 1
    if found["times_redeemed"] == found["max_redemptions"]:
        found["valid"] = False
    ctx.store.put(found)
    ctx.store.put({"object": "sandbox.coupon", "id": f"{id}:coupon", "coupon": found})
    now = clocks.now(ctx, subscription)
    months = {"interval": "month", "interval_count": found["duration_in_months"] or 0}
    discount: JSON = {
        "id": ctx.new_id("di"),
        "object": "discount",
        "checkout_session": None,
        "customer": subscription["customer"],
        "customer_account": None,
        "end": periods.boundary(now, months, 1) if found["duration"] == "repeating" else None,
        "invoice": None,
        "invoice_item": None,
        "promotion_code": None,
        "source": {"coupon": id, "type": "coupon"},
        "start": now,
        "subscription": subscription["id"],
        "subscription_item": None,
    }
    ctx.store.put(discount)
    ctx.emit("customer.discount.created", discount)
    return str(discount["id"])


def _applies(terms: JSON, product: str | None) -> bool:
    chosen = terms.get("applies_to")
    return chosen is None or product in chosen["products"]


def _product_of(line: JSON) -> str | None:
    details = (line["pricing"] or {}).get("price_details")
    return details["product"] if details else None
