"""OpenTelemetry traces from the HTTP request through workflow and activity to SQL, when `otlp_endpoint` is set.

Without the setting no part of OpenTelemetry's SDK is imported, and every method here returns at once.

One command is one trace: `POST /api/v1/escrows/{escrow_id}/fund` → `StartUpdateWithStartWorkflow:escrow` →
`HandleUpdate:fund` → `StartActivity:…` → `RunActivity:…` → the SQL statements, without their parameters. Spans of a
workflow are written when they end and never again in a replay; the span of a whole run (`RunWorkflow:escrow`) therefore
comes with its end.
`OTEL_TRACES_SAMPLER` and other standard variables apply; by default everything is traced.
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from temporalio.client import Plugin

from domain.privacy.card_numbers import address_contains_card_number
from runtime.settings import Settings

if TYPE_CHECKING:
    from fastapi.telemetry import TelemetryConfig
    from temporalio.contrib.opentelemetry import ReplaySafeTracerProvider

#: Keys, and tokens of sessions, links and unsubscribe links.
_SECRET = re.compile(r"\bbs[ksl]_|(?:^|&)token=")
#: Suffixes of untraced paths of probes and scrapers.
UNTRACED = ("/healthz", "/readyz", "/metrics")


class Telemetry:
    """Traces of a process, created once by the composition root, before the client and the app."""

    def __init__(self, settings: Settings, part: str) -> None:
        """Set up OpenTelemetry if `otlp_endpoint` is set; `part` names the service: `bursar-api`, `bursar-worker`."""
        self._provider: ReplaySafeTracerProvider | None = None
        if settings.otlp_endpoint:
            self._provider = _start(settings.otlp_endpoint, part)

    @property
    def enabled(self) -> bool:
        return self._provider is not None

    def temporal_plugins(self) -> list[Plugin]:
        """Return the `plugins` for `runtime.temporal.connect`, which workers of the client inherit."""
        if self._provider is None:
            return []
        from temporalio.contrib.opentelemetry import OpenTelemetryPlugin

        return [OpenTelemetryPlugin(add_temporal_spans=True)]

    def fastapi(self) -> "TelemetryConfig":
        """Return the config for `FastAPI(telemetry=…)`: a span for each request, named by its route.

        FastAPI's metrics are off because `runtime.metrics` has them.
        """
        return {
            "tracing": self.enabled,
            "operation_spans": False,
            "metrics": False,
            "logs": False,
            "auto_configure": False,
            "exclude": _is_not_traced,
        }

    def close(self) -> None:
        """Send pending spans and stop tracing; an unresponsive collector delays this by some seconds."""
        if self._provider is None:
            return
        from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor

        AsyncPGInstrumentor().uninstrument()  # type: ignore[no-untyped-call]
        self._provider.shutdown()
        self._provider = None


def _is_not_traced(scope: Mapping[str, Any]) -> bool:
    """Return whether a request has no span: of a probe, or with a confidential URL, which the span would contain.

    Confidential are card numbers and secrets of links.
    """
    path, query = str(scope.get("path", "")), bytes(scope.get("query_string", b""))
    has_secret = _SECRET.search(path) is not None or _SECRET.search(query.decode("latin-1")) is not None
    return path.endswith(UNTRACED) or has_secret or address_contains_card_number(path, query)


def _start(endpoint: str, part: str) -> "ReplaySafeTracerProvider":
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor
    from opentelemetry.propagate import set_global_textmap
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from temporalio.contrib.opentelemetry import create_tracer_provider

    from runtime.trace_parent import TraceParent

    resource = Resource.create({SERVICE_NAME: f"bursar-{part}"})
    provider = create_tracer_provider(resource=resource, shutdown_on_exit=False)
    url = endpoint if endpoint.endswith("/v1/traces") else endpoint.rstrip("/") + "/v1/traces"
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=url)))
    trace.set_tracer_provider(provider)
    set_global_textmap(TraceParent())
    # SQLAlchemy's statements and the ledger's own both go through asyncpg, so this one sees every statement.
    AsyncPGInstrumentor().instrument(tracer_provider=provider)  # type: ignore[no-untyped-call]
    return provider
