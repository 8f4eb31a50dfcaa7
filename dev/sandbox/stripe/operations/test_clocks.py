"""Test clocks over the API: made, advanced, read, listed, and deleted with all that lives by them."""

from typing import Any

from dev.sandbox.stripe import clocks, lists
from dev.sandbox.stripe.core import Context, operation
from dev.sandbox.stripe.operations import customers
from dev.sandbox.stripe.parameters import demand_only

JSON = dict[str, Any]


@operation("post", "/v1/test_helpers/test_clocks")
async def create(ctx: Context, params: JSON) -> JSON:
    """Create a clock at `frozen_time`."""
    demand_only(params, "a test clock", "frozen_time", "name")
    clock: JSON = {
        "id": ctx.new_id("clock"),
        "object": clocks.KIND,
        "created": ctx.now(),
        "deletes_after": ctx.now() + clocks.KEPT_SECONDS,
        "frozen_time": params["frozen_time"],
        "livemode": False,
        "name": params.get("name"),
        "status": "ready",
        "status_details": {"advancing": None},
    }
    ctx.store.put(clock)
    ctx.emit("test_helpers.test_clock.created", clock)
    return clock


@operation("get", "/v1/test_helpers/test_clocks/{test_clock}")
async def retrieve(ctx: Context, _: JSON, test_clock: str) -> JSON:
    """Return a clock."""
    return clocks.get(ctx, test_clock)


@operation("post", "/v1/test_helpers/test_clocks/{test_clock}/advance")
async def advance(ctx: Context, params: JSON, test_clock: str) -> JSON:
    """Start to move a clock; it is `advancing` until all that comes due on the way has been done."""
    clock = clocks.get(ctx, test_clock)
    clocks.advance(ctx, clock, params["frozen_time"])
    return clock


@operation("delete", "/v1/test_helpers/test_clocks/{test_clock}")
async def delete(ctx: Context, _: JSON, test_clock: str) -> JSON:
    """Delete a clock with its customers, whose subscriptions end."""
    clock = clocks.get(ctx, test_clock)
    ctx.store.put(clock | {"status": "ready"})
    for customer in ctx.store.query("customer", test_clock=test_clock):
        await customers.delete(ctx, {}, customer=customer["id"])
    ctx.store.sql.execute("DELETE FROM tasks WHERE clock = ?", (test_clock,))
    ctx.emit("test_helpers.test_clock.deleted", clock)
    stub = {"id": test_clock, "object": clocks.KIND, "deleted": True}
    ctx.store.put(stub)
    return stub


@operation("get", "/v1/test_helpers/test_clocks")
async def list_all(ctx: Context, params: JSON) -> JSON:
    """List clocks, newest first."""
    return lists.answer(ctx, clocks.KIND, params, "/v1/test_helpers/test_clocks", deleted=None)
