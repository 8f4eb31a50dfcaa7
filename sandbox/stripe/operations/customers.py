"""Customers: created, read, changed, deleted, listed and searched."""

from __future__ import annotations

from typing import Any

from sandbox.stripe import lists, search
from sandbox.stripe.core import Context, operation, random_text
from sandbox.stripe.errors import invalid, missing
from sandbox.stripe.operations import payment_methods
from sandbox.stripe.parameters import merge

JSON = dict[str, Any]
FIELDS = ("address", "description", "email", "name", "phone", "shipping")
OWN = ("balance", "business_name", "individual_name", "invoice_prefix", "next_invoice_sequence", "tax_exempt")
# What belongs to the billing area is refused rather than taken and forgotten.
NOT_HERE = ("cash_balance", "source", "default_source", "tax", "tax_id_data", "test_clock", "validate")


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
    customer: JSON = {
        "id": "cus_" + random_text(14),
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": ctx.now(),
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
        "test_clock": None,
    }
    apply(customer, params)
    ctx.store.put(customer)
    if "payment_method" in params:
        method = payment_methods.resolved(ctx, params["payment_method"])
        payment_methods.attached(ctx, method, customer["id"])
    set_default_method(ctx, customer, params)
    ctx.store.put(customer)
    ctx.emit("customer.created", customer)
    return customer


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
    previous = apply(found, params)
    if previous:
        ctx.store.put(found)
        ctx.emit("customer.updated", found, previous)
    return found


@operation("delete", "/v1/customers/{customer}")
async def delete(ctx: Context, _: JSON, customer: str) -> JSON:
    """Deletes a customer for good; its payment methods are detached, and its id stays known as deleted."""
    found = get(ctx, customer)
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
