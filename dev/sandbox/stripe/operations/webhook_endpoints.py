"""Webhook endpoints: where events go, and the secrets they are signed with."""

from __future__ import annotations

from typing import Any

from dev.sandbox.stripe import lists
from dev.sandbox.stripe.core import API_VERSION, HEARD_OF, Context, operation
from dev.sandbox.stripe.errors import invalid, missing
from dev.sandbox.stripe.parameters import merge

JSON = dict[str, Any]


def named_at_start(ctx: Context, url: str, secret: str | None) -> None:
    """Makes sure of the endpoint that the command line names: it gets every event, signed with this secret.

    There is one such endpoint, which follows the command line, with its waiting events, to another address.
    """
    endpoint = ctx.store.get("webhook_endpoint", ctx.store.setting("endpoint_at_start") or "")
    if endpoint is None:
        id = make(ctx, {"url": url, "enabled_events": ["*"]}, secret)["id"]
        ctx.store.keep("endpoint_at_start", id)
        ctx.store.keep(f"hears/{id}", "both")
        return
    ctx.store.keep(f"hears/{endpoint['id']}", "both")
    if endpoint["url"] != url:
        ctx.store.put(endpoint | {"url": url})
    ctx.store.keep(f"secrets/{endpoint['id']}", [secret or ctx.new_id("whsec")])


def make(ctx: Context, params: JSON, secret: str | None = None) -> JSON:
    """Stores an endpoint and returns it with its secret, which is shown this once."""
    endpoint: JSON = {
        "id": ctx.new_id("we"),
        "object": "webhook_endpoint",
        "api_version": params.get("api_version"),
        "application": None,
        "created": ctx.now(),
        "description": None,
        "enabled_events": params["enabled_events"],
        "livemode": False,
        "metadata": {},
        "status": "enabled",
        "url": params["url"],
    }
    merge(endpoint, params, "description")
    ctx.store.put(endpoint)
    ctx.store.keep(f"hears/{endpoint['id']}", HEARD_OF[params.get("connect", False)])
    secret = secret or ctx.new_id("whsec")
    ctx.store.keep(f"secrets/{endpoint['id']}", [secret])
    return endpoint | {"secret": secret}


def check(params: JSON) -> None:
    """Refuses an address that nothing can be sent to, and events that are all and some."""
    if not params.get("url", "https://").startswith(("http://", "https://")):
        raise invalid("Invalid URL: it begins with http:// or https://.", param="url", code="url_invalid")
    events = params.get("enabled_events", ["*"])
    if not events or ("*" in events and len(events) > 1):
        raise invalid("Name the events that you want, or '*' alone for all.", param="enabled_events")
    if params.get("api_version", API_VERSION) != API_VERSION:
        raise invalid(f"This sandbox makes events of version {API_VERSION} only.", param="api_version")


def get(ctx: Context, id: str) -> JSON:
    """Returns an endpoint.

    Raises:
        Refusal: There is none.
    """
    endpoint = ctx.store.get("webhook_endpoint", id)
    if endpoint is None:
        raise missing("webhook_endpoint", id)
    return endpoint


@operation("post", "/v1/webhook_endpoints")
async def create(ctx: Context, params: JSON) -> JSON:
    """Makes an endpoint; its secret is answered now and never again."""
    check(params)
    return make(ctx, params)


@operation("get", "/v1/webhook_endpoints/{endpoint}")
async def retrieve(ctx: Context, _: JSON, endpoint: str) -> JSON:
    """Returns an endpoint without its secret."""
    return get(ctx, endpoint)


@operation("post", "/v1/webhook_endpoints/{endpoint}")
async def update(ctx: Context, params: JSON, endpoint: str) -> JSON:
    """Changes an endpoint; a disabled one is sent nothing."""
    check(params)
    found = get(ctx, endpoint)
    merge(found, params, "url", "enabled_events", "description")
    if "disabled" in params:
        found["status"] = "disabled" if params["disabled"] else "enabled"
    ctx.store.put(found)
    return found


@operation("delete", "/v1/webhook_endpoints/{endpoint}")
async def delete(ctx: Context, _: JSON, endpoint: str) -> JSON:
    """Forgets an endpoint."""
    get(ctx, endpoint)
    ctx.store.delete("webhook_endpoint", endpoint)
    return {"id": endpoint, "object": "webhook_endpoint", "deleted": True}


@operation("get", "/v1/webhook_endpoints")
async def list_all(ctx: Context, params: JSON) -> JSON:
    """Lists endpoints, newest first."""
    return lists.answer(ctx, "webhook_endpoint", params, "/v1/webhook_endpoints")
