"""Cards of customers over the API that came before payment methods: added by token, changed, read, listed, deleted."""

from typing import Any

from dev.sandbox.stripe import lists, sources
from dev.sandbox.stripe.core import Context, Refusal, expansion, operation
from dev.sandbox.stripe.errors import invalid, missing
from dev.sandbox.stripe.operations import customers, payment_methods
from dev.sandbox.stripe.parameters import merge

JSON = dict[str, Any]

OF_OTHER_SOURCES = ("account_holder_name", "account_holder_type", "owner")


def get(ctx: Context, customer: str, id: str) -> JSON:
    """Return a card of a customer as the payment method that it is, or refuse."""
    customers.get(ctx, customer)
    method = ctx.store.get("payment_method", id)
    if method is None or method["customer"] != customer or not sources.is_source(method):
        raise missing("source", id)
    return method


@operation("post", "/v1/customers/{customer}/sources")
async def create(ctx: Context, params: JSON, customer: str) -> JSON:
    """Add the card behind a token; a customer's first becomes the default."""
    if "validate" in params:
        raise invalid("This sandbox does not have the parameter validate of a source yet.", param="validate")
    found = customers.get(ctx, customer)
    card = sources.shown(customers.add_source(ctx, found, params["source"], params))
    ctx.emit("customer.source.created", card)
    if found["default_source"] is None:
        found["default_source"] = card["id"]
        ctx.store.put(found)
        ctx.emit("customer.updated", found, {"default_source": None})
    return card


@operation("get", "/v1/customers/{customer}/sources/{id}")
async def retrieve(ctx: Context, _: JSON, customer: str, id: str) -> JSON:
    """Return a card."""
    return sources.shown(get(ctx, customer, id))


@operation("post", "/v1/customers/{customer}/sources/{id}")
async def update(ctx: Context, params: JSON, customer: str, id: str) -> JSON:
    """Change the payer's details or the expiry of a card."""
    method = get(ctx, customer, id)
    for name in OF_OTHER_SOURCES:
        if name in params:
            raise invalid(f"Received unknown parameter: {name}", param=name, code="parameter_unknown")
    former = sources.shown(method)
    previous = merge(method, {key: params[key] for key in ("metadata",) if key in params})
    _set_expiry(method["card"], params)
    if "name" in params:
        method["billing_details"]["name"] = params["name"] or None
    for name, part in sources.ADDRESS.items():
        if name in params:
            method["billing_details"]["address"][part] = params[name] or None
    card = sources.shown(method)
    changed = {key: value for key, value in former.items() if key != "metadata" and value != card[key]}
    ctx.store.put(method)
    ctx.emit("customer.source.updated", card, changed | previous)
    return card


@operation("delete", "/v1/customers/{customer}/sources/{id}")
async def delete(ctx: Context, _: JSON, customer: str, id: str) -> JSON:
    """Remove a card from its customer permanently; the newest of the others becomes the default."""
    payment_methods.detached(ctx, get(ctx, customer, id))
    return {"id": id, "object": "card", "deleted": True}


@operation("get", "/v1/customers/{customer}/sources")
async def list_all(ctx: Context, params: JSON, customer: str) -> JSON:
    """List the cards of a customer, newest first; there are no other sources."""
    customers.get(ctx, customer)
    wanted = params.get("object", "card") == "card"
    cards = [sources.shown(method) for method in sources.of_customer(ctx, customer)] if wanted else []
    ids, limit = [card["id"] for card in cards], lists.limit_of(params)
    for name in ("starting_after", "ending_before"):
        if name in params and params[name] not in ids:
            raise invalid(f"No such source: '{params[name]}'", param=name, code="resource_missing")
    url = f"/v1/customers/{customer}/sources"
    if "ending_before" in params:
        newer = cards[: ids.index(params["ending_before"])]
        return lists.whole(newer[-limit:], url) | {"has_more": len(newer) > limit}
    older = cards[ids.index(params["starting_after"]) + 1 :] if "starting_after" in params else cards
    return lists.whole(older[:limit], url) | {"has_more": len(older) > limit}


@expansion("customer", "sources")
def of_customer(ctx: Context, customer: JSON) -> JSON:
    """Return the list of cards that a customer is answered with when it is asked for."""
    cards = [sources.shown(method) for method in sources.of_customer(ctx, customer["id"])]
    return lists.whole(cards, f"/v1/customers/{customer['id']}/sources")


@expansion("customer", "default_source")
def default_of_customer(ctx: Context, customer: JSON) -> JSON | None:
    """Return the card that a customer pays with over the older API."""
    method = ctx.store.get("payment_method", customer["default_source"] or "")
    return None if method is None else sources.shown(method)


def _set_expiry(card: JSON, params: JSON) -> None:
    for name, lowest, highest in (("exp_month", 1, 12), ("exp_year", 2000, 2100)):
        if name not in params:
            continue
        if not params[name].isdecimal() or not lowest <= int(params[name]) <= highest:
            code = f"invalid_expiry_{name.removeprefix('exp_')}"
            raise Refusal(402, "card_error", f"The card's {name} is invalid.", code=code, param=name)
        card[name] = int(params[name])
