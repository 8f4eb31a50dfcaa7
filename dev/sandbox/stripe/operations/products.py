"""Products: what is sold."""

from __future__ import annotations

from typing import Any

from dev.sandbox.stripe import lists, search
from dev.sandbox.stripe.core import Context, operation, random_text
from dev.sandbox.stripe.errors import invalid, missing
from dev.sandbox.stripe.operations import prices
from dev.sandbox.stripe.parameters import merge

JSON = dict[str, Any]
FIELDS = (
    "active",
    "description",
    "images",
    "marketing_features",
    "name",
    "package_dimensions",
    "shippable",
    "statement_descriptor",
    "tax_code",
    "tax_details",
    "unit_label",
    "url",
)


def get(ctx: Context, id: str, *, param: str = "id") -> JSON:
    """Returns a product that has not been deleted.

    Raises:
        Refusal: There is none.
    """
    product = ctx.store.get("product", id)
    if product is None or product.get("deleted"):
        raise missing("product", id, param=param, status=404 if param == "id" else 400)
    return product


@operation("post", "/v1/products")
async def create(ctx: Context, params: JSON) -> JSON:
    """Makes a product, under an own id where one is given, with its first price where that is described."""
    if "id" in params and ctx.store.find(params["id"]) is not None:
        message = f"There is a product with the id '{params['id']}' already."
        raise invalid(message, param="id", code="resource_already_exists")
    product: JSON = {
        "id": params.get("id") or "prod_" + random_text(14),
        "object": "product",
        "active": True,
        "created": ctx.now(),
        "default_price": None,
        "description": None,
        "images": [],
        "livemode": False,
        "marketing_features": [],
        "metadata": {},
        "name": params["name"],
        "package_dimensions": None,
        "shippable": None,
        "statement_descriptor": None,
        "tax_code": None,
        "type": params.get("type", "service"),
        "unit_label": None,
        "updated": ctx.now(),
        "url": None,
    }
    merge(product, params, *FIELDS)
    ctx.store.put(product)
    ctx.emit("product.created", product)
    if "default_price_data" in params:
        price = prices.make(ctx, {**params["default_price_data"], "product": product["id"]})
        product["default_price"] = price["id"]
        ctx.store.put(product)
        ctx.emit("product.updated", product, {"default_price": None})
    return product


@operation("get", "/v1/products/{id}")
async def retrieve(ctx: Context, _: JSON, id: str) -> JSON:
    """Returns a product."""
    found = ctx.store.get("product", id)
    if found is None:
        raise missing("product", id)
    return found


@operation("post", "/v1/products/{id}")
async def update(ctx: Context, params: JSON, id: str) -> JSON:
    """Changes a product."""
    product = get(ctx, id)
    if params.get("default_price"):
        price = prices.get(ctx, params["default_price"], param="default_price")
        if price["product"] != id:
            raise invalid("The price belongs to another product.", param="default_price")
    previous = merge(product, params, *FIELDS, "default_price")
    if previous:
        previous["updated"], product["updated"] = product["updated"], ctx.now()
        ctx.store.put(product)
        ctx.emit("product.updated", product, previous)
    return product


@operation("delete", "/v1/products/{id}")
async def delete(ctx: Context, _: JSON, id: str) -> JSON:
    """Deletes a product that has no price."""
    product = get(ctx, id)
    if ctx.store.query("price", product=id):
        raise invalid("This product cannot be deleted because it has one or more user-created prices.")
    ctx.emit("product.deleted", product)
    stub = {"id": id, "object": "product", "deleted": True}
    ctx.store.put(stub)
    return stub


@operation("get", "/v1/products")
async def list_all(ctx: Context, params: JSON) -> JSON:
    """Lists products, newest first, without deleted ones."""
    chosen = {"id": params["ids"]} if "ids" in params else {}
    fields = ("active", "shippable", "type", "url")
    return lists.answer(ctx, "product", params, "/v1/products", *fields, deleted=None, **chosen)


@operation("get", "/v1/products/search")
async def find(ctx: Context, params: JSON) -> JSON:
    """Searches products."""
    return search.answer(ctx, "product", params, "/v1/products/search")
