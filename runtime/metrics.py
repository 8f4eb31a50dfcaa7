"""Prometheus metrics of the API, and of the worker through the Temporal SDK.

No label has a value of a caller's choice: a route is its template (`/api/v1/escrows/{escrow_id}`), a method one of
HTTP's, and a request without a route is `unmatched`.
"""

import asyncio
import logging
import math
import re
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.exposition import choose_encoder
from starlette.types import Scope
from temporalio.common import MetricMeter
from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    PrometheusConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)

from domain.common.errors import DomainError
from runtime.settings import Settings

#: Upper bounds of the latency buckets, in seconds. A command on an escrow is expected between 10 and 50 ms.
BUCKETS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

#: Maximum age of the rendered metrics.
RENDERED_SECONDS = 1.0
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNMATCHED = "unmatched"
OTHER_CODE = "other"
_DECLINE_CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class ApiMetrics:
    """Metrics of a web process, created once by the app."""

    def __init__(self) -> None:
        """Create a registry, with the process's memory, descriptors and garbage collection."""
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        counter, gauge = partial(Counter, registry=self.registry), partial(Gauge, registry=self.registry)
        labels, outcomes = ("kind", "status"), ("command", "outcome")
        self._requests = counter(
            "bursar_http_requests",
            "Requests answered, by method, route template and status.",
            ("method", "route", "status"),
        )
        self._seconds = Histogram(
            "bursar_http_request_duration_seconds",
            "Seconds from the first byte of a request to the last byte of its answer.",
            ("method", "route"),
            buckets=BUCKETS,
            registry=self.registry,
        )
        self.clock = time.monotonic
        self._rendering = asyncio.Lock()
        self._rendered: dict[str, tuple[float, bytes]] = {}
        self._in_flight = 0
        gauge("bursar_http_requests_in_flight", "Requests being answered.").set_function(lambda: self._in_flight)
        self._replays = counter(
            "bursar_idempotency_replays", "Requests answered with the stored response of the same key."
        )
        self._commands = counter(
            "bursar_escrow_commands",
            "Commands to escrows, by command and outcome: ok, the error code, or error.",
            outcomes,
        )
        self._webhooks = counter(
            "bursar_webhooks",
            "Webhooks received, by provider and outcome: new, duplicate or refused.",
            ("provider", "outcome"),
        )
        self._inbox_oldest = gauge(
            "bursar_inbox_oldest_seconds",
            "Age in seconds of the oldest unhandled webhook event; 0 without one, NaN when unknown.",
        )
        self.set_inbox_oldest(None)
        self._alerts_open = gauge(
            "bursar_alerts_open",
            "Alerts for operators that are not resolved, by kind and status: firing, snoozed or acknowledged.",
            labels,
        )
        self._organization_alerts_open = gauge(
            "bursar_organization_alerts_open",
            "Alerts for organizations alone that are not resolved, by kind and status; own_rule is of their own rules.",
            labels,
        )
        self._batch_oldest = gauge(
            "bursar_batch_oldest_due_seconds",
            "Delay in seconds of the oldest due item of a batch; 0 when nothing is due, NaN when unknown.",
            ("batch",),
        )
        self._archive_failing = gauge(
            "bursar_wal_archive_failing_seconds",
            "Seconds since PostgreSQL's WAL archiving fails; 0 when it works, NaN when unknown.",
        )
        self.set_archive_failing(None)
        self._payment_commands = counter(
            "bursar_payment_commands",
            "Commands to payments, by command and outcome: ok, the error code, or error.",
            outcomes,
        )
        # Cached, because looking up a child by its labels takes three times as long as counting.
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def begin(self) -> None:
        """Count a request; `end` must follow."""
        self._in_flight += 1

    def end(self, method: str, route: str, status: int, seconds: float) -> None:
        self._in_flight -= 1
        key = (method if method in METHODS else "other", route, status)
        children = self._children.get(key)
        if children is None:
            children = (self._requests.labels(key[0], route, str(status)), self._seconds.labels(key[0], route))
            self._children[key] = children
        children[0].inc()
        children[1].observe(seconds)

    def count_replay(self) -> None:
        self._replays.inc()

    def count_webhook(self, provider: str, outcome: str) -> None:
        """Count a webhook: `new`, `duplicate` or `refused`."""
        self._webhooks.labels(provider, outcome).inc()

    def set_inbox_oldest(self, seconds: float | None) -> None:
        """Set the age of the oldest unhandled event; None if unknown."""
        self._inbox_oldest.set(math.nan if seconds is None else seconds)

    def set_archive_failing(self, seconds: float | None) -> None:
        """Set the time since which WAL archiving fails; None if unknown."""
        self._archive_failing.set(math.nan if seconds is None else seconds)

    def set_alerts_open(
        self, of_operators: Mapping[tuple[str, str], int], of_organizations: Mapping[tuple[str, str], int]
    ) -> None:
        for gauge, counts in ((self._alerts_open, of_operators), (self._organization_alerts_open, of_organizations)):
            gauge.clear()
            for labels, count in counts.items():
                gauge.labels(*labels).set(count)

    def set_batch_oldest(self, seconds: Mapping[str, float] | None) -> None:
        """Set the delay of the oldest due item of each batch; None if unknown."""
        if seconds is None:
            known = {labels["batch"] for family in self._batch_oldest.collect() for _, labels, *_ in family.samples}
            seconds = dict.fromkeys(known, math.nan)
        for batch, age in seconds.items():
            self._batch_oldest.labels(batch).set(age)

    @contextmanager
    def escrow_command(self, command: str) -> Iterator[None]:
        """Count the escrow command of the block by outcome: `ok`, the refusal's code, or `error`."""
        with _outcome(self._commands, command):
            yield

    @contextmanager
    def payment_command(self, command: str) -> Iterator[None]:
        with _outcome(self._payment_commands, command):
            yield

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """Return the body and the content type of `GET /metrics`, in the format that the scraper accepts."""
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type

    async def scrape(self, accept: str, refresh: Callable[[], Awaitable[object]]) -> tuple[bytes, str]:
        """Return the metrics, rendered in a thread at most once a second for all callers.

        Rendering takes longer than most requests, so it must not block the event loop.

        Args:
            accept: the header of the scraper.
            refresh: sets metrics from other sources; called before rendering.
        """
        _, content_type = choose_encoder(accept)
        async with self._rendering:
            kept = self._rendered.get(content_type)
            if kept is None or self.clock() - kept[0] >= RENDERED_SECONDS:
                await refresh()
                body, _ = await asyncio.to_thread(self.render, accept)
                kept = self._rendered[content_type] = (self.clock(), body)
            return kept[1], content_type


@contextmanager
def _outcome(counter: Counter, command: str) -> Iterator[None]:
    outcome = "error"
    try:
        yield
        outcome = "ok"
    except DomainError as refusal:
        outcome = refusal.error_code
        raise
    finally:
        counter.labels(command, outcome).inc()


class PaymentFailures:
    """Counter of payments refused by providers or banks, on the worker's meter.

    Codes come from the provider. To bound the number of series, a process distinguishes the first hundred codes, and
    counts others, and codes that are not plain words, as `other`.
    """

    NAME = "bursar_payment_failures"
    MOST_CODES = 100

    def __init__(self) -> None:
        self._codes: set[tuple[str, str]] = set()

    def count(self, meter: MetricMeter, provider: str, code: str) -> None:
        known = (provider, code) in self._codes
        if not known and _DECLINE_CODE.fullmatch(code) and len(self._codes) < self.MOST_CODES:
            self._codes.add((provider, code))
            known = True
        counter = meter.create_counter(self.NAME, "Payments that were refused, by provider and decline code.")
        counter.add(1, {"provider": provider, "code": code if known else OTHER_CODE})


def route_template(scope: Scope) -> str:
    """Return the template of the matched route with prefixes, or `unmatched`."""
    # FastAPI's route has the path that it was declared with; the prefixes are in FastAPI's part of the scope.
    context = scope.get("fastapi", {}).get("effective_route_context")
    template = getattr(context, "path", None) or getattr(scope.get("route"), "path", None)
    return template if isinstance(template, str) else UNMATCHED


def worker_runtime(settings: Settings) -> Runtime:
    """Return the SDK runtime of a worker: metrics on `worker_metrics_port`, logs with all others.

    Port 0 serves no metrics. `docs/operate/observability.md` lists the metrics.

    Raises:
        RuntimeError: the port is in use.
    """
    metrics = None
    address = f"{settings.worker_metrics_host}:{settings.worker_metrics_port}"
    if settings.worker_metrics_port:
        metrics = PrometheusConfig(address, counters_total_suffix=True, durations_as_seconds=True, unit_suffix=True)
    try:
        return Runtime(telemetry=TelemetryConfig(logging=_logging(), metrics=metrics))
    except (ValueError, RuntimeError) as error:
        raise RuntimeError(f"The worker's metrics cannot be served on {address}: {error}") from error


def client_runtime() -> Runtime:
    """Return the SDK runtime of a process without a worker: no metrics, logs with all others."""
    return Runtime(telemetry=TelemetryConfig(logging=_logging()))


def _logging() -> LoggingConfig:
    return LoggingConfig(
        filter=TelemetryFilter(core_level="WARN", other_level="ERROR"),
        forwarding=LogForwardingConfig(logger=logging.getLogger("temporalio.core")),
    )
