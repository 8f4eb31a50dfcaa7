"""Invoice lines, pending items that become lines, and their sums."""

from fractions import Fraction
from typing import Any

from dev.sandbox.stripe import discounting, lists, taxing
from dev.sandbox.stripe.core import Context

JSON = dict[str, Any]


def item(ctx: Context, customer: JSON, terms: JSON) -> JSON:
    """Store an invoice item that waits for an invoice, notify of it, and return it.

    `terms` has `amount`, `currency`, `date`, `description`, `period` and, where there is one, `price`, `quantity`,
    `subscription`, `subscription_item`, `proration`, `discountable`, `metadata` and `tax_rates`.
    """
    subscription, quantity = terms.get("subscription"), terms.get("quantity", 1)
    details = {"subscription": subscription, "subscription_item": terms.get("subscription_item")}
    made: JSON = {
        "id": ctx.new_id("ii"),
        "object": "invoiceitem",
        "amount": terms["amount"],
        "currency": terms["currency"],
        "customer": customer["id"],
        "customer_account": None,
        "date": terms["date"],
        "description": terms.get("description"),
        "discountable": terms.get("discountable", not terms.get("proration", False)),
        "discounts": [],
        "invoice": None,
        "livemode": False,
        "metadata": dict(terms.get("metadata") or {}),
        "net_amount": terms["amount"],
        "parent": {"type": "subscription_details", "subscription_details": details} if subscription else None,
        "period": terms["period"],
        "pricing": pricing(terms.get("price"), terms["amount"], quantity),
        "proration": terms.get("proration", False),
        "proration_details": None,
        "quantity": quantity,
        "quantity_decimal": str(quantity),
        "tax_rates": terms.get("tax_rates") or [],
        "test_clock": customer["test_clock"],
    }
    ctx.store.put(made)
    ctx.emit("invoiceitem.created", made)
    return made


def pricing(price: JSON | None, amount: int, quantity: int) -> JSON | None:
    """Return how an amount came about: by a price, or by itself."""
    if price is None:
        exact = Fraction(amount, quantity or 1)
        return {
            "type": "price_details",
            "price_details": None,
            "unit_amount_decimal": str(exact.numerator) if exact.denominator == 1 else None,
        }
    details = {"price": price["id"], "product": price["product"]}
    return {"type": "price_details", "price_details": details, "unit_amount_decimal": price["unit_amount_decimal"]}


def pending(ctx: Context, customer: str, *, subscription: str | None = None, currency: str) -> list[JSON]:
    """Return the items of a customer that wait for an invoice, oldest first: those of no subscription or of this."""
    found = reversed(ctx.store.query("invoiceitem", customer=customer, invoice=None, currency=currency))
    return [each for each in found if subscription_of(each) in (None, subscription)]


def subscription_of(item: JSON) -> str | None:
    """Return the subscription that an item belongs to."""
    parent = item["parent"]
    return parent["subscription_details"]["subscription"] if parent else None


def add(ctx: Context, invoice: JSON, terms: JSON) -> JSON:
    """Add a line to an invoice and return it; `terms` has the names of the line's fields, and `tax_rates`."""
    line: JSON = {
        "id": ctx.new_id("il"),
        "object": "line_item",
        "amount": terms["amount"],
        "currency": invoice["currency"],
        "description": terms["description"],
        "discount_amounts": [],
        "discountable": terms.get("discountable", True),
        "discounts": list(terms.get("discounts") or []),
        "invoice": invoice["id"],
        "livemode": False,
        "metadata": dict(terms.get("metadata") or {}),
        "parent": terms["parent"],
        "period": terms["period"],
        "pretax_credit_amounts": [],
        "pricing": terms["pricing"],
        "quantity": terms["quantity"],
        "quantity_decimal": str(terms["quantity"]),
        "subscription": terms.get("subscription"),
        "subtotal": terms["amount"],
        "taxes": taxing.named(terms.get("tax_rates") or invoice["default_tax_rates"]),
    }
    invoice["lines"]["data"].append(line)
    return line


def add_item(ctx: Context, invoice: JSON, item: JSON) -> None:
    """Make a line of an item that waited."""
    subscription = subscription_of(item)
    details = {
        "invoice_item": item["id"],
        "proration": item["proration"],
        "proration_details": {"credited_items": None} if item["proration"] else None,
        "subscription": subscription,
    }
    of_item = item["parent"]["subscription_details"]["subscription_item"] if subscription else None
    kind = "subscription_item_details" if of_item else "invoice_item_details"
    if of_item:
        details["subscription_item"] = of_item
    same = ("amount", "description", "discountable", "discounts", "metadata", "period", "pricing")
    terms = {name: item[name] for name in same}
    terms |= {"quantity": item["quantity"], "subscription": subscription, "tax_rates": item["tax_rates"]}
    terms["parent"] = {"type": kind, kind: details}
    add(ctx, invoice, terms)
    ctx.store.put(item | {"invoice": invoice["id"]})


def add_period(ctx: Context, invoice: JSON, item: JSON, amount: int, description: str) -> None:
    """Make a line of what a subscription's item costs for its period."""
    details = {
        "invoice_item": None,
        "proration": False,
        "proration_details": {"credited_items": None},
        "subscription": item["subscription"],
        "subscription_item": item["id"],
    }
    terms = {
        "amount": amount,
        "description": description,
        "metadata": item["metadata"],
        "parent": {"type": "subscription_item_details", "subscription_item_details": details},
        "period": {"start": item["current_period_start"], "end": item["current_period_end"]},
        "pricing": pricing(item["price"], amount, item["quantity"]),
        "quantity": item["quantity"],
        "subscription": item["subscription"],
        "tax_rates": item["tax_rates"],
    }
    add(ctx, invoice, terms)


def drop_lines(ctx: Context, invoice: JSON) -> None:
    """Let the items of an invoice that is deleted wait for another one."""
    for item in ctx.store.query("invoiceitem", invoice=invoice["id"]):
        ctx.store.put(item | {"invoice": None})


def total_up(ctx: Context, invoice: JSON) -> None:
    """Set the discounts, the taxes and the sums of an invoice from its lines."""
    discounting.apply(ctx, invoice)
    taxing.apply(ctx, invoice)
    lines, taxes = invoice["lines"]["data"], invoice["total_taxes"]
    subtotal = sum(line["amount"] for line in lines)
    inclusive, exclusive = (taxing.owed(taxes, each) for each in ("inclusive", "exclusive"))
    off = dict.fromkeys(invoice["discounts"], 0)
    for each in (each for line in lines for each in line["discount_amounts"]):
        off[each["discount"]] += each["amount"]
    total = subtotal - sum(off.values()) + exclusive
    invoice |= {
        "subtotal": subtotal,
        "subtotal_excluding_tax": subtotal - inclusive,
        "total": total,
        "total_discount_amounts": [{"amount": amount, "discount": id} for id, amount in off.items()],
        "total_excluding_tax": total - exclusive - inclusive,
    }


def empty_list(invoice: str) -> JSON:
    """Return the list of lines that an invoice begins with."""
    return lists.whole([], f"/v1/invoices/{invoice}/lines")
