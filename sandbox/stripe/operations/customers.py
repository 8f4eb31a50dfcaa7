"""Customers: created, read, changed, deleted, listed and searched."""

from __future__ import annotations

import secrets
import string
from typing import Any

from sandbox.stripe import lists
from sandbox.stripe.core import Context, operation
from sandbox.stripe.errors import missing
from sandbox.stripe.parameters import merge

FIELDS = ("address", "description", "email", "name", "phone", "preferred_locales", "shipping", "tax_exempt")


def get(ctx: Context, id: str, *, param: str = "id") -> dict[str, Any]:
    """Returns a customer that has not been deleted.

    Raises:
        Refusal: There is none.
    """
    customer = ctx.store.get("customer", id)
    if customer is None or customer.get("deleted"):
        raise missing("customer", id, param=param, status=404 if param == "id" else 400)
    return customer


@operation("post", "/v1/customers")
async def create(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Makes a customer."""
    customer: dict[str, Any] = {
        "id": ctx.new_id("cus")[:18],
        "object": "customer",
        "address": None,
        "balance": params.get("balance", 0),
        "created": ctx.now(),
        "currency": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": None,
        "invoice_prefix": params.get("invoice_prefix")
        or "".join(secrets.choice(string.ascii_uppercase + string.digits) for _ in range(8)),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": False,
        "metadata": {},
        "name": None,
        "next_invoice_sequence": params.get("next_invoice_sequence", 1),
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }
    merge(customer, params, *FIELDS)
    ctx.store.put(customer)
    ctx.emit("customer.created", customer)
    return customer


@operation("get", "/v1/customers/{customer}")
async def retrieve(ctx: Context, _: dict[str, Any], customer: str) -> dict[str, Any]:
    """Returns a customer, or what is left of a deleted one."""
    found = ctx.store.get("customer", customer)
    if found is None:
        raise missing("customer", customer)
    return found


@operation("get", "/v1/customers")
async def list_all(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Lists customers, newest first."""
    return lists.answer(ctx, "customer", params, "/v1/customers", "email", deleted=None)
