"""Test clocks: customers who live by a time of their own, which only moves when it is advanced.

Facts from docs.stripe.com/billing/testing/test-clocks. Objects without a test clock use the sandbox's own time. What is
put off is kept in one place whichever clock it waits for. Charges, balance and events keep to the sandbox's own time.
"""

import json
from typing import Any

from dev.sandbox.stripe.core import TASKS, Context, task
from dev.sandbox.stripe.errors import invalid, missing

JSON = dict[str, Any]

KIND = "test_helpers.test_clock"
KEPT_SECONDS = 30 * 86_400


def get(ctx: Context, id: str, *, param: str = "test_clock", status: int = 404) -> JSON:
    """Return a test clock, or refuse."""
    clock: JSON | None = ctx.store.get(KIND, id)
    if clock is None or clock.get("deleted"):
        raise missing(KIND, id, param=param, status=status)
    return clock


def now(ctx: Context, of: JSON) -> int:
    """Return the time that an object with a `test_clock` lives by, in Unix seconds."""
    return get(ctx, of["test_clock"])["frozen_time"] if of["test_clock"] else ctx.now()


def put_off(ctx: Context, of: JSON, due_at: int, name: str, **args: Any) -> None:
    """Run a registered task when the object's clock reaches `due_at`."""
    ctx.at(due_at, name, args, clock=of["test_clock"] or "")


def demand_ready(ctx: Context, of: JSON) -> None:
    """Refuse a change of what is on a clock that is being advanced."""
    if of["test_clock"] and get(ctx, of["test_clock"])["status"] != "ready":
        raise invalid("Test clock advancement underway; wait until the clock is ready.", code="test_clock_advancing")


def advance(ctx: Context, clock: JSON, target: int) -> None:
    """Start to move a clock to a time; what comes due on the way is done at its own time."""
    if clock["status"] != "ready":
        raise invalid("This test clock is being advanced already.")
    if target <= clock["frozen_time"]:
        raise invalid("A test clock only moves to a time after its own.", param="frozen_time")
    clock |= {"status": "advancing", "status_details": {"advancing": {"target_frozen_time": target}}}
    ctx.store.put(clock)
    ctx.emit("test_helpers.test_clock.advancing", clock)
    ctx.after(0, "clocks.step", {"clock": clock["id"]})


@task("clocks.step")
async def step(ctx: Context, clock: str) -> None:
    """Do the next thing that is due on a clock that is being advanced, or end its advance."""
    stored = ctx.store.get(KIND, clock)
    if stored is None or stored.get("status") != "advancing":
        return
    target = stored["status_details"]["advancing"]["target_frozen_time"]
    row = ctx.store.sql.execute(
        "SELECT seq, name, args, due_at FROM tasks WHERE clock = ? AND due_at <= ? ORDER BY due_at, seq LIMIT 1",
        (clock, target),
    ).fetchone()
    if row is None:
        stored |= {"frozen_time": target, "status": "ready", "status_details": {"advancing": None}}
        ctx.store.put(stored)
        ctx.emit("test_helpers.test_clock.ready", stored)
        return
    seq, name, args, due_at = row
    ctx.store.put(stored | {"frozen_time": max(stored["frozen_time"], due_at)})
    ctx.store.sql.execute("DELETE FROM tasks WHERE seq = ?", (seq,))
    await TASKS[name](ctx, **json.loads(args))
    ctx.after(0, "clocks.step", {"clock": clock})
