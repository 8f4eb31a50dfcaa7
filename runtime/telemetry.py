"""OpenTelemetry traces from the HTTP request through workflow and activity to SQL, when `otlp_endpoint` is set.

Without the setting no part of OpenTelemetry's SDK is imported, and every method here returns at once.

One command is one trace: `POST /api/v1/escrows/{escrow_id}/fund` → `StartUpdateWithStartWorkflow:escrow` →
`HandleUpdate:fund` → `StartActivity:…` → `RunActivity:…` → the SQL statements, without their parameters. Spans of a
workflow are written when they end and never again in a replay; the span of a whole run (`RunWorkflow:escrow`) therefore
comes with its end.
`OTEL_TRACES_SAMPLER` and the other standard variables hold; by default everything is traced.
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

#: Keys, and the tokens of sessions and links, and those of links that end mails.
_SECRET = re.compile(r"\bbs[ksl]_|(?:^|&)token=")
#: How the paths of probes and scrapes end; tracing them tells nothing.
UNTRACED = ("/healthz", "/readyz", "/metrics")


class Telemetry:
    """The traces of one process. Made once by the composition root, before the client and the app."""

    def __init__(self, settings: Settings, part: str) -> None:
        """Set OpenTelemetry up when `otlp_endpoint` is set; `part` names the service: `bursar-api`, `bursar-worker`."""
        self._provider: ReplaySafeTracerProvider | None = None
        if settings.otlp_endpoint:
            self._provider = _start(settings.otlp_endpoint, part)

    @property
    def enabled(self) -> bool:
        return self._provider is not None

    def temporal_plugins(self) -> list[Plugin]:
        """Return what `runtime.temporal.connect` takes as `plugins`; workers made from the client inherit it."""
        if self._provider is None:
            return []
        from temporalio.contrib.opentelemetry import OpenTelemetryPlugin

        return [OpenTelemetryPlugin(add_temporal_spans=True)]

    def fastapi(self) -> "TelemetryConfig":
        """Return what `FastAPI(telemetry=…)` takes: a span for each request, named by its route, and nothing else.

        FastAPI makes these spans itself; its metrics are off because `runtime.metrics` has them.
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
        """Send what is not sent yet and stop tracing; a collector that does not answer delays this by some seconds."""
        if self._provider is None:
            return
        from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor

        AsyncPGInstrumentor().uninstrument()  # type: ignore[no-untyped-call]
        self._provider.shutdown()
        self._provider = None


def _is_not_traced(scope: Mapping[str, Any]) -> bool:
    """Return whether a request has no span: a probe's, and one whose address, which a span repeats, is not to be read.

    That is one with a card number, or with the secret of a link.
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
