"""Customers: created, read, changed, deleted, listed and searched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dev.sandbox.stripe import cards, cash, clocks, lists, search, sources
from dev.sandbox.stripe.core import Context, operation, random_text
from dev.sandbox.stripe.errors import invalid, missing
from dev.sandbox.stripe.operations import payment_methods
from dev.sandbox.stripe.parameters import merge

JSON = dict[str, Any]
FIELDS = ("address", "description", "email", "name", "phone", "shipping")
OWN = ("balance", "business_name", "individual_name", "invoice_prefix", "next_invoice_sequence", "tax_exempt")
# Called with the context and the id of a customer who is about to be deleted.
DELETED: list[Callable[[Context, str], None]] = []
# What Stripe Tax takes is refused rather than taken and forgotten.
NOT_HERE = ("tax", "tax_id_data", "validate")


def get(ctx: Context, id: str, *, param: str = "id") -> JSON:
    """Returns a customer that has not been deleted.

    Raises:
        Refusal: There is none.
    """
    customer = ctx.store.get("customer", id)
    if customer is None or customer.get("deleted"):
        raise missing("customer", id, param=param, status=404 if param == "id" else 400)
    return customer


@operation("post", "/v1/customers")
async def create(ctx: Context, params: JSON) -> JSON:
    """Makes a customer."""
    refuse_what_is_not_here(params)
    clock = clocks.get(ctx, params["test_clock"], status=400) if params.get("test_clock") else None
    customer: JSON = {
        "id": "cus_" + random_text(14),
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": clock["frozen_time"] if clock else ctx.now(),
        "currency": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": None,
        "invoice_prefix": random_text(8).upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": False,
        "metadata": {},
        "name": None,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": clock["id"] if clock else None,
    }
    apply(customer, params)
    ctx.store.put(customer)
    if "payment_method" in params:
        method = payment_methods.resolved(ctx, params["payment_method"])
        payment_methods.attached(ctx, method, customer["id"])
        settings = params.get("invoice_settings", {})
        if settings.get("default_payment_method") == params["payment_method"]:
            # A test card that is named twice is one method.
            params["invoice_settings"] = settings | {"default_payment_method": method["id"]}
            apply(customer, params)
    set_default_method(ctx, customer, params)
    added = add_source(ctx, customer, params["source"], {}) if "source" in params else None
    customer["default_source"] = added["id"] if added else None
    ctx.store.put(customer)
    cash.set_terms(ctx, customer["id"], params.get("cash_balance") or {})
    ctx.emit("customer.created", customer)
    if added is not None:
        ctx.emit("customer.source.created", sources.shown(added))
    return customer


def add_source(ctx: Context, customer: JSON, token: str, params: JSON) -> JSON:
    """Give a stored customer the card behind a token such as `tok_visa`, and return the payment method that it is.

    Raises:
        Refusal: There is no such token, or its issuer declines.
    """
    card = cards.find(token) if token.startswith("tok_") else None
    if card is None or card.type != "card":
        raise missing("token", token, param="source", status=400)
    method = cards.from_card(ctx, card, prefix=sources.PREFIX)
    merge(method, {"metadata": params["metadata"]} if "metadata" in params else {})
    return payment_methods.attached(ctx, method, customer["id"])


def set_default_source(ctx: Context, customer: JSON, params: JSON) -> JSON:
    """Change the default source as parameters say, and return its former value by name if it has changed.

    A token is added and takes the place of the former default, which is gone then.
    """
    former = customer["default_source"]
    if "source" in params:
        added = add_source(ctx, customer, params["source"], {})
        customer["default_source"] = added["id"]
        ctx.store.put(customer)
        ctx.emit("customer.source.created", sources.shown(added))
        gone = ctx.store.get("payment_method", former or "")
        if gone is not None:
            payment_methods.detached(ctx, gone)
    elif "default_source" in params:
        wanted = params["default_source"]
        if wanted not in [each["id"] for each in sources.of_customer(ctx, customer["id"])]:
            raise missing("source", wanted, param="default_source", status=400)
        customer["default_source"] = wanted
        ctx.store.put(customer)
    return {} if former == customer["default_source"] else {"default_source": former}


def refuse_what_is_not_here(params: JSON) -> None:
    """Refuses parameters that Stripe takes and this sandbox does not yet."""
    for name in NOT_HERE:
        if name in params:
            raise invalid(f"This sandbox does not have the parameter {name} of a customer yet.", param=name)


def apply(customer: JSON, params: JSON) -> JSON:
    """Sets the fields that parameters name and returns their former values."""
    previous = merge(customer, params, *FIELDS, *(name for name in OWN if params.get(name, "") != ""))
    if customer["preferred_locales"] != params.get("preferred_locales", customer["preferred_locales"]):
        previous["preferred_locales"] = customer["preferred_locales"]
        customer["preferred_locales"] = params["preferred_locales"]
    settings = {key: None if value == "" else value for key, value in params.get("invoice_settings", {}).items()}
    if any(customer["invoice_settings"].get(key) != value for key, value in settings.items()):
        previous["invoice_settings"] = {key: customer["invoice_settings"].get(key) for key in settings}
        customer["invoice_settings"] |= settings
    return previous


def bill_in(ctx: Context, id: str, currency: str) -> None:
    """Note the one currency that a customer is billed in, or refuse another one."""
    customer = get(ctx, id, param="customer")
    if customer["currency"] is None:
        ctx.store.put(customer | {"currency": currency})
    elif customer["currency"] != currency:
        message = f"You cannot combine currencies on a single customer: {id} is billed in {customer['currency']}."
        raise invalid(message, param="currency")


def add_to_balance(ctx: Context, id: str, amount: int) -> None:
    """Create a customer balance transaction; a credit is negative. Deleted customers have none."""
    customer = ctx.store.get("customer", id)
    if customer is None or customer.get("deleted"):
        return
    former = customer["balance"]
    customer["balance"] += amount
    ctx.store.put(customer)
    ctx.emit("customer.updated", customer, {"balance": former})


def set_default_method(ctx: Context, customer: JSON, params: JSON) -> None:
    """Makes sure that a default payment method that is asked for belongs to the customer."""
    id = params.get("invoice_settings", {}).get("default_payment_method")
    if not id:
        return
    name = "invoice_settings[default_payment_method]"
    method = ctx.store.get("payment_method", id)
    if method is None:
        raise missing("PaymentMethod", id, param=name, status=400)
    if method["customer"] != customer["id"]:
        raise invalid(f"The customer does not have a payment method with the ID {id}.", param=name)


@operation("get", "/v1/customers/{customer}")
async def retrieve(ctx: Context, _: JSON, customer: str) -> JSON:
    """Returns a customer, or what is left of a deleted one."""
    found = ctx.store.get("customer", customer)
    if found is None:
        raise missing("customer", customer)
    return found


@operation("post", "/v1/customers/{customer}")
async def update(ctx: Context, params: JSON, customer: str) -> JSON:
    """Changes a customer."""
    refuse_what_is_not_here(params)
    found = get(ctx, customer)
    set_default_method(ctx, found, params)
    cash.set_terms(ctx, customer, params.get("cash_balance") or {})
    previous = set_default_source(ctx, found, params)
    # A card that was replaced may have been the default of invoices, too.
    found = get(ctx, customer)
    previous |= apply(found, params)
    if previous:
        ctx.store.put(found)
        ctx.emit("customer.updated", found, previous)
    return found


@operation("delete", "/v1/customers/{customer}")
async def delete(ctx: Context, _: JSON, customer: str) -> JSON:
    """Deletes a customer permanently; subscriptions end, payment methods are detached, the id stays known as deleted.

    A customer that has ever had a cash balance stays, also when nothing is left of it.
    """
    found = get(ctx, customer)
    if cash.shown(ctx, customer)["available"] is not None:
        raise invalid(f"Customer {customer} has a cash balance and cannot be deleted.", param="id")
    for gone in DELETED:
        gone(ctx, customer)
    for method in ctx.store.query("payment_method", customer=customer):
        payment_methods.detached(ctx, method)
    ctx.emit("customer.deleted", found)
    stub = {"id": customer, "object": "customer", "deleted": True}
    ctx.store.put(stub)
    return stub


@operation("get", "/v1/customers")
async def list_all(ctx: Context, params: JSON) -> JSON:
    """Lists customers, newest first, without deleted ones."""
    return lists.answer(ctx, "customer", params, "/v1/customers", "email", "test_clock", deleted=None)


@operation("get", "/v1/customers/search")
async def find(ctx: Context, params: JSON) -> JSON:
    """Searches customers by metadata, e-mail and the like."""
    return search.answer(ctx, "customer", params, "/v1/customers/search")


@operation("get", "/v1/customers/{customer}/payment_methods")
async def list_methods(ctx: Context, params: JSON, customer: str) -> JSON:
    """Lists the payment methods of a customer, newest first."""
    get(ctx, customer)
    url = f"/v1/customers/{customer}/payment_methods"
    return lists.answer(ctx, "payment_method", params, url, "type", "allow_redisplay", customer=customer)


@operation("get", "/v1/customers/{customer}/payment_methods/{payment_method}")
async def retrieve_method(ctx: Context, _: JSON, customer: str, payment_method: str) -> JSON:
    """Returns a payment method of a customer."""
    get(ctx, customer)
    method = ctx.store.get("payment_method", payment_method)
    if method is None or method["customer"] != customer:
        raise missing("PaymentMethod", payment_method, param="payment_method")
    return method
