"""Events: read one by one, and listed by what has happened."""

from __future__ import annotations

from typing import Any

from dev.sandbox.stripe import lists, schemas
from dev.sandbox.stripe.core import Context, operation
from dev.sandbox.stripe.errors import invalid, missing

JSON = dict[str, Any]


@operation("get", "/v1/events/{event}")
async def retrieve(ctx: Context, _: JSON, event: str) -> JSON:
    """Returns an event as it was sent."""
    found = ctx.store.get("event", event)
    if found is None:
        raise missing("event", event)
    return found


@operation("get", "/v1/events")
async def list_all(ctx: Context, params: JSON) -> JSON:
    """Lists events, of one type or several; `charge.*` means all that begin so."""
    if "type" in params and "types" in params:
        raise invalid("Name either `type` or `types`.", param="types")
    wanted = params.get("types") or ([params["type"]] if "type" in params else [])
    types = [name for pattern in wanted for name in matching(pattern)]
    filters: JSON = {"type": types} if wanted else {}
    return lists.answer(ctx, "event", params, "/v1/events", **filters)


def matching(pattern: str) -> list[str]:
    """Returns the types of events that match a pattern."""
    if not pattern.endswith("*"):
        return [pattern]
    return [name for name in schemas.event_types() if name.startswith(pattern[:-1])]
