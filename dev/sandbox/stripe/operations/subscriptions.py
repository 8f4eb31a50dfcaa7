"""Subscriptions over the API: begun, changed, canceled, read and listed, and their items one by one."""

from typing import Any

from dev.sandbox.stripe import lists, subscribing
from dev.sandbox.stripe.core import Context, expansion, operation
from dev.sandbox.stripe.errors import invalid, missing
from dev.sandbox.stripe.parameters import demand_only

JSON = dict[str, Any]

TERMS = (
    "cancel_at",
    "cancel_at_period_end",
    "collection_method",
    "days_until_due",
    "default_payment_method",
    "default_tax_rates",
    "description",
    "discounts",
    "items",
    "metadata",
    "off_session",
    "payment_behavior",
    "payment_settings",
    "proration_behavior",
    "trial_end",
    "trial_settings",
)
FIRST = ("billing_cycle_anchor", "billing_mode", "currency", "customer", "trial_from_plan", "trial_period_days")
LATER = ("billing_cycle_anchor", "cancellation_details", "proration_date")
ITEM = ("payment_behavior", "proration_behavior", "proration_date", "off_session")
STATUSES = ("active", "incomplete", "past_due", "paused", "trialing", "unpaid")
CHOSEN = {"all": {}, "ended": {"status": ["canceled", "incomplete_expired"]}}


@operation("post", "/v1/subscriptions")
async def create(ctx: Context, params: JSON) -> JSON:
    """Begin a subscription with its first invoice."""
    demand_only(params, "a subscription", *TERMS, *FIRST)
    _demand_behavior(params)
    if "customer" not in params:
        raise invalid("Missing required param: customer.", param="customer", code="parameter_missing")
    return subscribing.start(ctx, params)


@operation("get", "/v1/subscriptions/{subscription}")
async def retrieve(ctx: Context, _: JSON, subscription: str) -> JSON:
    """Return a subscription, also one that has ended."""
    return subscribing.get(ctx, subscription)


@operation("post", "/v1/subscriptions/{subscription}")
async def update(ctx: Context, params: JSON, subscription: str) -> JSON:
    """Change a subscription."""
    demand_only(params, "a subscription that is there", *TERMS, *LATER)
    _demand_behavior(params)
    return subscribing.change(ctx, subscription, params)


@operation("delete", "/v1/subscriptions/{subscription}")
async def cancel(ctx: Context, params: JSON, subscription: str) -> JSON:
    """End a subscription now."""
    return subscribing.cancel(ctx, subscription, params)


@operation("get", "/v1/subscriptions")
async def list_all(ctx: Context, params: JSON) -> JSON:
    """List subscriptions, newest first; those that have ended only when they are asked for."""
    demand_only(
        params,
        "the list of subscriptions",
        *("collection_method", "created", "customer", "ending_before", "limit", "starting_after", "status"),
        "test_clock",
    )
    status = params.get("status")
    chosen = CHOSEN.get(status or "", {"status": status or list(STATUSES)})
    fields = ("collection_method", "customer", "test_clock")
    return lists.answer(ctx, "subscription", params, "/v1/subscriptions", *fields, **chosen)


@operation("post", "/v1/subscription_items")
async def create_item(ctx: Context, params: JSON) -> JSON:
    """Add an item to a subscription."""
    changed = {name: value for name, value in params.items() if name not in (*ITEM, "subscription")}
    _demand_behavior(params)
    subscription = subscribing.get(ctx, params["subscription"], param="subscription", status=400)
    known = {item["id"] for item in subscription["items"]["data"]}
    after = subscribing.change(ctx, subscription["id"], {"items": [changed], **_with(params)})
    added: JSON = next(item for item in after["items"]["data"] if item["id"] not in known)
    return added


@operation("get", "/v1/subscription_items/{item}")
async def retrieve_item(ctx: Context, _: JSON, item: str) -> JSON:
    """Return an item."""
    return _item(ctx, item)


@operation("post", "/v1/subscription_items/{item}")
async def update_item(ctx: Context, params: JSON, item: str) -> JSON:
    """Change an item."""
    found = _item(ctx, item)
    _demand_behavior(params)
    changed = {name: value for name, value in params.items() if name not in ITEM} | {"id": item}
    subscribing.change(ctx, found["subscription"], {"items": [changed], **_with(params)})
    return _item(ctx, item)


@operation("delete", "/v1/subscription_items/{item}")
async def delete_item(ctx: Context, params: JSON, item: str) -> JSON:
    """Take an item out of its subscription, which keeps one at least."""
    found = _item(ctx, item)
    demand_only(params, "an item", *ITEM)
    _demand_behavior(params)
    subscribing.change(ctx, found["subscription"], {"items": [{"id": item, "deleted": True}], **_with(params)})
    return {"id": item, "object": "subscription_item", "deleted": True}


@operation("get", "/v1/subscription_items")
async def list_items(ctx: Context, params: JSON) -> JSON:
    """List the items of a subscription."""
    subscribing.get(ctx, params["subscription"], param="subscription")
    return lists.answer(ctx, "subscription_item", params, "/v1/subscription_items", "subscription")


@expansion("customer", "subscriptions")
def of_customer(ctx: Context, customer: JSON) -> JSON:
    """Return the subscriptions that a customer is answered with when it is asked for: those that have not ended."""
    found = ctx.store.query("subscription", customer=customer["id"], status=list(STATUSES))
    return lists.whole(found, f"/v1/customers/{customer['id']}/subscriptions")


def _item(ctx: Context, id: str) -> JSON:
    item: JSON | None = ctx.store.get("subscription_item", id)
    if item is None:
        raise missing("subscription_item", id, param="item")
    return item


def _with(params: JSON) -> JSON:
    return {name: params[name] for name in ITEM if name in params}


def _demand_behavior(params: JSON) -> None:
    if params.get("payment_behavior") == "pending_if_incomplete":
        raise invalid("This sandbox does not have pending updates yet.", param="payment_behavior")
