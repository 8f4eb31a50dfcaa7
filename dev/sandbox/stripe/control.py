"""Control endpoints of the sandbox for tests and operators, outside Stripe's own paths.

All are POST with a JSON object, but for `health` and `state`, which are GET as well.

    /_control/health            {"status": "ok", "now": unix seconds of the sandbox's clock}
    /_control/state             counts of objects, deliveries and tasks
    /_control/due               when the first task of each name is due, in Unix seconds
    /_control/reset             forgets everything but the endpoints named at the start, and all conditions
    /_control/clock             {"advance": seconds}: moves the clock, and runs what comes due on the way at its time
    /_control/webhooks          the conditions of `Conditions`; a call replaces them all, `{}` is fair weather
    /_control/webhooks/flush    sends all that waits, now, and answers when each has been tried
    /_control/webhooks/resend   {"event": "evt_…"} or {"dropped": true}: sends again
    /_control/webhooks/secrets  {"endpoint": "we_…", "secrets": ["whsec_…", …]}: signs with all of these
    /_control/faults            one `Fault` to add; `{}` takes all away

Operations add their own, such as finishing 3-D Secure, beside what they control. Conditions end with the process; all
else is kept.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dev.sandbox.stripe import core, schemas
from dev.sandbox.stripe.conditions import Asking, Conditions, Fault
from dev.sandbox.stripe.core import Context, Refusal, Sandbox, control
from dev.sandbox.stripe.delivery import Deliverer
from dev.sandbox.stripe.errors import invalid, missing

JSON = dict[str, Any]


@control("webhooks")
async def set_weather(ctx: Context, body: JSON) -> JSON:
    """Replaces the conditions of webhooks."""
    ctx.sandbox.weather = Conditions.read(body)
    ctx.sandbox.emitted.set()
    return body


@control("webhooks/resend")
async def resend(ctx: Context, body: JSON) -> JSON:
    """Queues webhooks that have been dropped, or all of one event, once more."""
    where, value = ("event = ?", body["event"]) if "event" in body else ("state = ?", "dropped")
    changed = ctx.store.sql.execute(
        f"UPDATE deliveries SET state = 'waiting', due_ms = 0, attempts = 0 WHERE state <> 'waiting' AND {where}",
        (value,),
    )
    ctx.sandbox.emitted.set()
    return {"resent": changed.rowcount}


@control("webhooks/secrets")
async def set_secrets(ctx: Context, body: JSON) -> JSON:
    """Sign an endpoint's webhooks with several secrets, as during a rotation."""
    if ctx.store.get("webhook_endpoint", body.get("endpoint", "")) is None:
        raise missing("webhook_endpoint", body.get("endpoint", ""))
    if not body.get("secrets"):
        raise invalid("An endpoint has at least one secret.", param="secrets")
    ctx.store.keep(f"secrets/{body['endpoint']}", body["secrets"])
    return {"secrets": len(body["secrets"])}


@control("faults")
async def add_fault(ctx: Context, body: JSON) -> JSON:
    """Adds a fault, or takes all away."""
    ctx.sandbox.faults = [*ctx.sandbox.faults, Fault.read(body)] if body else []
    return {"faults": len(ctx.sandbox.faults)}


@control("state")
async def state(ctx: Context, _: JSON) -> JSON:
    """Counts what there is."""
    counted = {
        "objects": "SELECT kind, count(*) FROM objects GROUP BY kind",
        "deliveries": "SELECT state, count(*) FROM deliveries GROUP BY state",
        "tasks": "SELECT name, count(*) FROM tasks GROUP BY name",
    }
    return {"now": ctx.now(), **{name: dict(ctx.store.sql.execute(sql).fetchall()) for name, sql in counted.items()}}


@control("due")
async def due(ctx: Context, _: JSON) -> JSON:
    """Tells when the first task of each name is due on the sandbox's own clock."""
    return dict(ctx.store.sql.execute("SELECT name, min(due_at) FROM tasks WHERE clock = '' GROUP BY name").fetchall())


@control("reset")
async def reset(ctx: Context, _: JSON) -> JSON:
    """Forgets everything."""
    for table in ("objects", "tasks", "deliveries", "answers", "settings"):
        ctx.store.sql.execute(f"DELETE FROM {table}")
    ctx.sandbox.weather, ctx.sandbox.faults, ctx.sandbox.offset = Conditions(), [], 0
    ctx.sandbox.asking = Asking()
    for prepare in ctx.sandbox.on_reset:
        prepare(ctx)
    return {}


def routes(sandbox: Sandbox, deliverer: Deliverer) -> list[Route]:
    """Returns the routes of the control surface."""

    async def health(_: JSON) -> JSON:
        return {"status": "ok", "now": sandbox.now()}

    async def clock(body: JSON) -> JSON:
        seconds = body.get("advance")
        if not isinstance(seconds, int) or seconds < 0:
            raise invalid("The clock is advanced by a whole number of seconds, never back.", param="advance")
        ran = await sandbox.advance(seconds)
        return {"now": sandbox.now(), "ran": ran}

    async def flush(_: JSON) -> JSON:
        await deliverer.flush()
        counts = sandbox.store.sql.execute("SELECT state, count(*) FROM deliveries GROUP BY state").fetchall()
        return dict(counts)

    async def steer(request: Request) -> Response:
        path = request.path_params["path"]
        function = core.CONTROLS.get(path)
        if function is None:
            raise invalid(f"There is no control {path}.", status=404)
        body = await body_of(request)
        async with sandbox.transaction() as ctx:
            answer = await function(ctx, body)
        return JSONResponse(answer)

    return [
        Route("/_control/health", answering(health), methods=["GET", "POST"]),
        Route("/_control/clock", answering(clock), methods=["POST"]),
        Route("/_control/webhooks/flush", answering(flush), methods=["POST"]),
        Route("/_control/{path:path}", refusing(steer), methods=["GET", "POST"]),
    ]


def answering(function: Callable[[JSON], Awaitable[JSON]]) -> core.Page:
    """Returns an endpoint that hands a JSON object over and answers one."""

    async def endpoint(request: Request) -> Response:
        return JSONResponse(await function(await body_of(request)))

    return refusing(endpoint)


def refusing(endpoint: core.Page) -> core.Page:
    """Returns an endpoint whose refusals are answers."""

    async def answered(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Refusal as refusal:
            return JSONResponse(refusal.body(), refusal.status)
        except schemas.NotConforming as reason:
            return JSONResponse({"error": {"message": str(reason)}}, 500)

    return answered


async def body_of(request: Request) -> JSON:
    """Returns the JSON object that was sent, an empty one for nothing."""
    try:
        body = json.loads(await request.body() or b"{}")
    except ValueError as error:
        raise invalid("The body is no JSON.") from error
    if not isinstance(body, dict):
        raise invalid("The body is no JSON object.")
    return body
