"""Billing portal sessions: a link to a page on which a customer sees what they pay with."""

from typing import Any

from sandbox.stripe import lists
from sandbox.stripe.core import Context, operation
from sandbox.stripe.errors import missing
from sandbox.stripe.operations import customers

JSON = dict[str, Any]

DEFAULT = "bpc_sandbox_default"


@operation("post", "/v1/billing_portal/sessions")
async def create(ctx: Context, params: JSON) -> JSON:
    """Make a link to the portal of a customer."""
    if "customer" in params:
        customers.get(ctx, params["customer"], param="customer")
    id = ctx.new_id("bps")
    configuration = _get(ctx, params.get("configuration") or DEFAULT, status=400)
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


@operation("get", "/v1/billing_portal/configurations/{configuration}")
async def retrieve(ctx: Context, _: JSON, configuration: str) -> JSON:
    """Return how the portal is set up."""
    return _get(ctx, configuration)


@operation("get", "/v1/billing_portal/configurations")
async def list_all(ctx: Context, _: JSON) -> JSON:
    """List how the portal is set up: in one way."""
    return lists.whole([_get(ctx, DEFAULT)], "/v1/billing_portal/configurations")


def _get(ctx: Context, id: str, *, status: int = 404) -> JSON:
    stored: JSON | None = ctx.store.get("billing_portal.configuration", id)
    if stored is not None:
        return stored
    if id != DEFAULT:
        raise missing("billing_portal.configuration", id, param="configuration", status=status)
    configuration = _default(ctx)
    ctx.store.put(configuration)
    return configuration


def _default(ctx: Context) -> JSON:
    off = {"enabled": False}
    return {
        "id": DEFAULT,
        "object": "billing_portal.configuration",
        "active": True,
        "application": None,
        "business_profile": {"headline": None, "privacy_policy_url": None, "terms_of_service_url": None},
        "created": ctx.now(),
        "default_return_url": None,
        "features": {
            "customer_update": {"allowed_updates": [], **off},
            "invoice_history": off,
            "payment_method_update": {"enabled": True, "payment_method_configuration": None},
            "subscription_cancel": {
                "cancellation_reason": {"options": [], **off},
                "mode": "at_period_end",
                "proration_behavior": "none",
                **off,
            },
            "subscription_pause": {"duration": {"interval_options": [], "type": "indefinite"}, **off},
            "subscription_update": {
                "billing_cycle_anchor": None,
                "default_allowed_updates": [],
                "proration_behavior": "none",
                "schedule_at_period_end": {"conditions": []},
                "trial_update_behavior": "end_trial",
                **off,
            },
        },
        "is_default": True,
        "livemode": False,
        "login_page": {"url": None, **off},
        "metadata": {},
        "name": None,
        "updated": ctx.now(),
    }
