"""The billing portal: a link to a page on which a customer sees what they pay with, and how that is set up."""

from typing import Any

from dev.sandbox.stripe import lists
from dev.sandbox.stripe.core import Context, operation
from dev.sandbox.stripe.errors import invalid, missing
from dev.sandbox.stripe.operations import customers, prices, products
from dev.sandbox.stripe.parameters import merge

JSON = dict[str, Any]

DEFAULT = "bpc_sandbox_default"


@operation("post", "/v1/billing_portal/sessions")
async def create(ctx: Context, params: JSON) -> JSON:
    """Make a link to the portal of a customer."""
    if "customer" in params:
        customers.get(ctx, params["customer"], param="customer")
    id = ctx.new_id("bps")
    configuration = _get(ctx, params.get("configuration") or DEFAULT, status=400)
    if not configuration["active"]:
        raise invalid(f"The configuration {configuration['id']} is not active.", param="configuration")
    session: JSON = {
        "id": id,
        "object": "billing_portal.session",
        "configuration": configuration["id"],
        "created": ctx.now(),
        "customer": params.get("customer"),
        "customer_account": None,
        "flow": None,
        "livemode": False,
        "locale": params.get("locale"),
        "on_behalf_of": None,
        "return_url": params.get("return_url") or configuration["default_return_url"],
        "url": f"{ctx.base_url}/portal/{id}",
    }
    ctx.store.put(session)
    ctx.emit("billing_portal.session.created", session)
    return session


@operation("post", "/v1/billing_portal/configurations")
async def create_configuration(ctx: Context, params: JSON) -> JSON:
    """Set the portal up in another way; what is not named is off."""
    configuration = _blank(ctx, ctx.new_id("bpc"))
    _set(ctx, configuration, params)
    ctx.store.put(configuration)
    ctx.emit("billing_portal.configuration.created", configuration)
    return configuration


@operation("get", "/v1/billing_portal/configurations/{configuration}")
async def retrieve(ctx: Context, _: JSON, configuration: str) -> JSON:
    """Return how the portal is set up."""
    return _get(ctx, configuration)


@operation("post", "/v1/billing_portal/configurations/{configuration}")
async def update(ctx: Context, params: JSON, configuration: str) -> JSON:
    """Change a configuration; the default one stays active."""
    found = _get(ctx, configuration)
    if found["is_default"] and not params.get("active", True):
        raise invalid("The default configuration cannot be deactivated.", param="active")
    previous = _set(ctx, found, params)
    if previous:
        previous["updated"] = found["updated"]
        found["updated"] = ctx.now()
        ctx.store.put(found)
        ctx.emit("billing_portal.configuration.updated", found, previous)
    return found


@operation("get", "/v1/billing_portal/configurations")
async def list_all(ctx: Context, params: JSON) -> JSON:
    """List the ways in which the portal is set up, newest first."""
    _get(ctx, DEFAULT)
    kind, url = "billing_portal.configuration", "/v1/billing_portal/configurations"
    return lists.answer(ctx, kind, params, url, "active", "is_default")


def _set(ctx: Context, configuration: JSON, params: JSON) -> JSON:
    if params.get("login_page", {}).get("enabled"):
        raise invalid("This sandbox does not have the login page of the portal.", param="login_page[enabled]")
    features = params.get("features", {})
    _complete_products(ctx, features.get("subscription_update", {}).get("products") or [])
    for each in features.get("subscription_pause", {}).get("duration", {}).get("interval_options") or []:
        each.setdefault("interval_count", 1)
    previous = merge(configuration, params, "active", "default_return_url", "name")
    for name in ("business_profile", "features"):
        former = _merged(configuration[name], params.get(name, {}))
        if former:
            previous[name] = former
    return previous


def _merged(place: JSON, given: JSON) -> JSON:
    """Change what is given in nested parameters, and return the former values of what has changed."""
    previous: JSON = {}
    for name, value in given.items():
        if isinstance(value, dict):
            former = _merged(place[name], value)
            if former:
                previous[name] = former
            continue
        # An empty string takes a value away, and leaves a list empty.
        value = ([] if isinstance(place.get(name), list) else None) if value == "" else value
        if place.get(name) != value:
            previous[name] = place.get(name)
        place[name] = value
    return previous


def _complete_products(ctx: Context, offered: list[JSON]) -> None:
    for index, each in enumerate(offered):
        name = f"features[subscription_update][products][{index}]"
        products.get(ctx, each["product"], param=f"{name}[product]")
        for price in each["prices"]:
            prices.get(ctx, price, param=f"{name}[prices]")
        quantity = {"enabled": False, "maximum": None, "minimum": 0}
        each["adjustable_quantity"] = quantity | each.get("adjustable_quantity", {})


def _get(ctx: Context, id: str, *, status: int = 404) -> JSON:
    stored: JSON | None = ctx.store.get("billing_portal.configuration", id)
    if stored is not None:
        return stored
    if id != DEFAULT:
        raise missing("billing_portal.configuration", id, param="configuration", status=status)
    configuration = _blank(ctx, DEFAULT) | {"is_default": True}
    configuration["features"]["payment_method_update"]["enabled"] = True
    ctx.store.put(configuration)
    return configuration


def _blank(ctx: Context, id: str) -> JSON:
    return {
        "id": id,
        "object": "billing_portal.configuration",
        "active": True,
        "application": None,
        "business_profile": {"headline": None, "privacy_policy_url": None, "terms_of_service_url": None},
        "created": ctx.now(),
        "default_return_url": None,
        "features": _nothing(),
        "is_default": False,
        "livemode": False,
        "login_page": {"enabled": False, "url": None},
        "metadata": {},
        "name": None,
        "updated": ctx.now(),
    }


def _nothing() -> JSON:
    return {
        "customer_update": {"allowed_updates": [], "enabled": False},
        "invoice_history": {"enabled": False},
        "payment_method_update": {"enabled": False, "payment_method_configuration": None},
        "subscription_cancel": {
            "cancellation_reason": {"enabled": False, "options": []},
            "enabled": False,
            "mode": "at_period_end",
            "proration_behavior": "none",
        },
        "subscription_pause": {"duration": {"interval_options": [], "type": "indefinite"}, "enabled": False},
        "subscription_update": {
            "billing_cycle_anchor": None,
            "default_allowed_updates": [],
            "enabled": False,
            "products": [],
            "proration_behavior": "none",
            "schedule_at_period_end": {"conditions": []},
            "trial_update_behavior": "end_trial",
        },
    }
