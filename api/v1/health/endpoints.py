"""Liveness, readiness and metrics; no key is needed."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Literal

import structlog
from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from api.deps import Deps, DepsDep
from api.fields import ResponseModel
from api.routing import Resource
from repositories.messages import alert
from repositories.operations import due, wal_archive
from repositories.payments import provider_event

log = structlog.get_logger("bursar.api")
router = Resource(tags=["health"])
#: For operators of the deployment: on the private port, or on the public one if there is no private one.
operations = Resource(tags=["health"])
#: Not below /api, because it is not part of the API for clients.
scraped = Resource(tags=["health"])

CHECK_SECONDS = 2.0


class Liveness(ResponseModel):
    """The process answers."""

    status: Literal["ok"]


class Readiness(ResponseModel):
    """The status of each dependency: `ok`, or its error.

    `degraded` means that Temporal does not answer: everything can be read, and commands get 503.
    """

    status: Literal["ready", "degraded", "unavailable"]
    postgresql: str
    temporal: str
    inbox_oldest_seconds: int | None = Field(
        default=None,
        description="The age of the oldest unhandled webhook event; null when it is not known. It indicates a "
        "problem of the worker or a provider and does not affect the status.",
    )


async def _postgresql(deps: Deps) -> str:
    async def ask() -> None:
        await deps.pool.read(lambda pool: pool.fetchval("SELECT 1"))

    return await _answer(ask())


async def _temporal(deps: Deps) -> str:
    if deps.temporal is None:
        return "not connected"
    client = deps.temporal

    async def ask() -> None:
        if not await client.service_client.check_health(timeout=timedelta(seconds=CHECK_SECONDS)):
            raise ConnectionError

    return await _answer(ask())


async def _inbox_oldest(deps: Deps) -> float | None:
    """Return the age of the oldest unhandled event, 0 without one, and store it for the metrics; None if not known."""
    age = await _age(deps, provider_event.oldest_unhandled, unknown="inbox.age_unknown")
    deps.metrics.set_inbox_oldest(age)
    return age


async def _alerts_open(deps: Deps) -> None:
    """Store the number of open alerts of each kind and status for the metrics; none if it is not known."""
    counts = alert.OpenAlerts({}, {})
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            counts = await deps.platform_pool.read(alert.open_by_kind)
    except Exception as exc:
        log.warning("alerts.unknown", error=f"{type(exc).__name__}: {exc}"[:300])
    deps.metrics.set_alerts_open(counts.of_operators, counts.of_organizations)


async def _batches(deps: Deps) -> None:
    """Store for the metrics how long the oldest item of each batch has been due."""
    ages: dict[str, float] | None = None
    nights = deps.settings.nightly_reputation_update_enabled
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            found = await deps.platform_pool.read(partial(due.oldest_due, nights=nights))
        now = datetime.now(UTC)
        ages = {name: 0.0 if at is None else max(0.0, (now - at).total_seconds()) for name, at in found.items()}
    except Exception as exc:
        log.warning("batches.age_unknown", error=f"{type(exc).__name__}: {exc}"[:300])
    deps.metrics.set_batch_oldest(ages)


async def _archive(deps: Deps) -> None:
    deps.metrics.set_archive_failing(await _age(deps, wal_archive.failing_since, unknown="archive.unknown"))


async def _age(deps: Deps, since: Callable[[Any], Awaitable[datetime | None]], *, unknown: str) -> float | None:
    """Return an age in seconds, 0 if there is nothing; None, with the log line `unknown`, if it is not known."""
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            began = await deps.platform_pool.read(since)
    except Exception as exc:
        log.warning(unknown, error=f"{type(exc).__name__}: {exc}"[:300])
        return None
    return 0.0 if began is None else max(0.0, (datetime.now(UTC) - began).total_seconds())


async def _answer(question: Coroutine[Any, Any, None]) -> str:
    try:
        await asyncio.wait_for(question, CHECK_SECONDS)
    except Exception as exc:
        return f"no answer ({type(exc).__name__})"
    return "ok"


@router.get("/healthz", operation_id="health.live")
async def healthz() -> Liveness:
    """Report that the process answers, without checking its dependencies."""
    return Liveness(status="ok")


@operations.get("/readyz", response_model=Readiness, responses={503: {"model": Readiness}}, operation_id="health.ready")
async def readyz(deps: DepsDep) -> Response:
    """Report whether PostgreSQL and Temporal answer. The status is 503 if PostgreSQL does not."""
    postgresql, temporal, age = await asyncio.gather(_postgresql(deps), _temporal(deps), _inbox_oldest(deps))
    # A load balancer removes replicas that answer 503. Without Temporal that would be all of them, and reads would
    # fail.
    able: Literal["ready", "degraded"] = "ready" if temporal == "ok" else "degraded"
    content = Readiness(
        status=able if postgresql == "ok" else "unavailable",
        postgresql=postgresql,
        temporal=temporal,
        inbox_oldest_seconds=None if age is None else int(age),
    )
    return JSONResponse(content.model_dump(), 200 if postgresql == "ok" else 503)


@scraped.get("/metrics", response_class=PlainTextResponse)
async def metrics(request: Request, deps: DepsDep) -> Response:
    """Show the metrics of this process in Prometheus' text format."""
    accept = request.headers.get("accept", "")
    content, content_type = await deps.metrics.scrape(
        accept, lambda: asyncio.gather(_inbox_oldest(deps), _alerts_open(deps), _batches(deps), _archive(deps))
    )
    return Response(content, headers={"Content-Type": content_type})
