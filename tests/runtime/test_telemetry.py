import asyncio
import base64
import json
import os
import re
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from dev.stack.postgres import Postgres
from runtime.settings import Settings
from runtime.telemetry import Telemetry
from tests.runtime.traced import CALLER
from tests.support.collector import Collector


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    yield collector
    collector.close()


async def run_process(temporal_address: str, cluster: Postgres, endpoint: str | None) -> dict[str, Any]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("BURSAR_", "OTEL_"))}
    environment |= {"BURSAR_TEMPORAL_ADDRESS": temporal_address, "TEST_DATABASE_URL": cluster.url(database="postgres")}
    if endpoint:
        environment["BURSAR_OTLP_ENDPOINT"] = endpoint
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.runtime.traced", env=environment, stdout=-1, stderr=-1
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    result: dict[str, Any] = json.loads(out)
    assert result["paid"] == 42
    return result


def ancestors(span: Span, by_id: dict[bytes, Span]) -> list[str]:
    names = []
    while span.parent_span_id in by_id:
        span = by_id[span.parent_span_id]
        names.append(span.name)
    return names


@pytest.mark.db
@pytest.mark.temporal
async def test_request_workflow_activity_and_sql_are_one_trace(
    temporal_address: str, cluster: Postgres, collector: Collector
) -> None:
    result = await run_process(temporal_address, cluster, collector.url)
    spans = collector.spans()
    names = [span.name for span in spans]
    assert collector.services() == {"bursar-test"}

    by_id = {span.span_id: span for span in spans}
    statements = [span for span in spans if span.name == "SELECT"]
    expected = ["RunActivity:post", "StartActivity:post", "HandleUpdate:pay", "StartWorkflowUpdate:pay"]
    route = "POST /api/v1/escrows/{escrow_id}/pay"
    own = [span for span in statements if "RunActivity:post" in ancestors(span, by_id)]
    assert len(own) >= 2
    for span in own:
        assert ancestors(span, by_id) == [*expected, route]
    assert len({span.trace_id for span in (*own, *(s for s in spans if s.name == route))}) == 1

    assert not [name for name in names if "healthz" in name]
    assert "GET" in names, "a path without a route is named by its method"
    assert "at-all" not in " ".join(names)
    assert "SECRETPARAMETER" not in str(spans)
    assert {span.trace_id.hex() for span in spans if span.name == route} == {CALLER}
    stored = re.findall(r'"data": "([^"]+)"', result["history"])
    payloads = b" ".join(base64.b64decode(data) for data in stored).decode()
    assert "traceparent" in payloads
    for secret in ("SECRETBAGGAGE", "SECRETSTATE"):
        assert secret not in payloads
        assert secret not in str(spans)


@pytest.mark.db
@pytest.mark.temporal
async def test_sdk_of_opentelemetry_is_not_loaded_without_an_endpoint(temporal_address: str, cluster: Postgres) -> None:
    result = await run_process(temporal_address, cluster, None)
    assert not {"opentelemetry.sdk", "opentelemetry.exporter", "opentelemetry.instrumentation"} & set(result["loaded"])


def test_disabled_telemetry_does_nothing() -> None:
    telemetry = Telemetry(Settings(), "api")
    assert not telemetry.enabled
    assert telemetry.fastapi()["tracing"] is False
    assert telemetry.temporal_plugins() == []
    telemetry.close()


def test_request_whose_address_holds_a_secret_or_a_card_number_is_not_traced() -> None:
    excluded = Telemetry(Settings(), "api").fastapi()["exclude"]
    assert excluded is not None
    assert excluded({"path": "/api/v1/payments/4242424242424242", "query_string": b""})
    assert excluded({"path": "/api/v1/payments", "query_string": b"q=4242+4242+4242+4242"})
    assert excluded({"path": "/console/enter/bsl_1.secret", "query_string": b""})
    assert excluded({"path": "/notifications/unsubscribe", "query_string": b"a=b&token=x.y"})
    assert not excluded({"path": "/api/v1/payments", "query_string": b"limit=50"})
