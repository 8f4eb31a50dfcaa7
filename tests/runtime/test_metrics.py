import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator

import httpx2
import pytest
from fastapi import APIRouter, FastAPI, Response
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from starlette.types import Receive, Scope, Send
from temporalio.common import MetricMeter
from temporalio.worker import Worker

from api.middleware import Edge
from dev.stack.temporal import free_port
from domain.common.errors import InsufficientFunds
from runtime.identity import new_id
from runtime.metrics import RENDERED_SECONDS, ApiMetrics, PaymentFailures, client_runtime, worker_runtime
from runtime.settings import Settings
from runtime.temporal import connect
from tests.runtime.sample import Books, Pay, SampleWorkflow

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(text: str) -> Samples:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def of(metrics: ApiMetrics) -> Samples:
    return samples(metrics.render()[0].decode())


def requests(metrics: ApiMetrics) -> dict[tuple[str, str, str], float]:
    """Return request counts by method, route and status."""
    found = {}
    for (name, labels), value in of(metrics).items():
        if name == "bursar_http_requests_total":
            by_name = dict(labels)
            found[(by_name["method"], by_name["route"], by_name["status"])] = value
    return found


def app_of(metrics: ApiMetrics) -> FastAPI:
    router = APIRouter(prefix="/escrows")

    @router.get("/{escrow_id}")
    async def get(escrow_id: str) -> dict[str, str]:
        return {"id": escrow_id}

    @router.post("/{escrow_id}/fund")
    async def fund(escrow_id: str) -> Response:
        raise RuntimeError("broken")

    app = FastAPI()
    resources = APIRouter()
    resources.include_router(router)
    app.include_router(resources, prefix="/api/v1")
    app.include_router(resources, prefix="/api", include_in_schema=False)

    @app.get("/healthz")
    async def healthz() -> dict[str, float]:
        return {"in_flight": of(metrics)[("bursar_http_requests_in_flight", ())]}

    app.add_middleware(Edge, max_body_bytes=1000, metrics=metrics)
    return app


@pytest.fixture
def metrics() -> ApiMetrics:
    return ApiMetrics()


@pytest.fixture
async def http(metrics: ApiMetrics) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=app_of(metrics))
    async with httpx2.AsyncClient(transport=transport, base_url="http://api") as client:
        yield client


async def test_requests_are_counted_by_route_template_and_never_by_path(
    http: httpx2.AsyncClient, metrics: ApiMetrics
) -> None:
    for path in ("/api/v1/escrows/esc_1", "/api/v1/escrows/esc_2", "/api/escrows/esc_3", "/nowhere", "/api/v1/x/y"):
        await http.get(path)
    await http.post("/api/v1/escrows/esc_1")
    await http.post("/api/v1/escrows/esc_1/fund")
    await http.request("BREW", "/api/v1/escrows/esc_1")
    assert requests(metrics) == {
        ("GET", "/api/v1/escrows/{escrow_id}", "200"): 2,
        ("GET", "/api/escrows/{escrow_id}", "200"): 1,
        ("GET", "unmatched", "404"): 2,
        ("POST", "/api/v1/escrows/{escrow_id}", "405"): 1,
        ("POST", "/api/v1/escrows/{escrow_id}/fund", "500"): 1,
        ("other", "/api/v1/escrows/{escrow_id}", "405"): 1,
    }
    assert b"esc_1" not in metrics.render()[0]


async def test_durations_are_counted_too(http: httpx2.AsyncClient, metrics: ApiMetrics) -> None:
    await http.get("/api/v1/escrows/esc_1")
    labels = (("method", "GET"), ("route", "/api/v1/escrows/{escrow_id}"))
    found = of(metrics)
    assert found[("bursar_http_request_duration_seconds_count", labels)] == 1
    assert found[("bursar_http_request_duration_seconds_sum", labels)] > 0


async def test_requests_in_flight_come_back_to_zero(http: httpx2.AsyncClient, metrics: ApiMetrics) -> None:
    assert (await http.get("/healthz")).json() == {"in_flight": 1}
    await http.post("/api/v1/escrows/esc_1/fund")
    assert of(metrics)[("bursar_http_requests_in_flight", ())] == 0


async def test_request_that_breaks_is_counted_as_500(metrics: ApiMetrics) -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("broken")

    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=Edge(broken, max_body_bytes=1000, metrics=metrics)), base_url="http://api"
    ) as http:
        assert (await http.get("/x")).status_code == 500
    assert requests(metrics) == {("GET", "unmatched", "500"): 1}
    assert of(metrics)[("bursar_http_requests_in_flight", ())] == 0


def give(metrics: ApiMetrics, error: Exception | None = None) -> None:
    with metrics.escrow_command("fund"), metrics.payment_command("refund"):
        if error:
            raise error


def test_commands_and_replays_are_counted(metrics: ApiMetrics) -> None:
    give(metrics)
    with pytest.raises(InsufficientFunds):
        give(metrics, InsufficientFunds("Not enough."))
    with pytest.raises(RuntimeError):
        give(metrics, RuntimeError("broken"))
    metrics.count_replay()
    found = of(metrics)
    for outcome in ("ok", "ledger.insufficient_funds", "error"):
        assert found[("bursar_escrow_commands_total", (("command", "fund"), ("outcome", outcome)))] == 1
        assert found[("bursar_payment_commands_total", (("command", "refund"), ("outcome", outcome)))] == 1
    assert found[("bursar_idempotency_replays_total", ())] == 1
    assert ("process_resident_memory_bytes", ()) in found


def test_format_is_the_one_that_the_scraper_accepts(metrics: ApiMetrics) -> None:
    assert metrics.render()[1].startswith("text/plain; version=0.0.4")
    body, content_type = metrics.render("application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")


def test_two_apps_count_apart() -> None:
    one, two = ApiMetrics(), ApiMetrics()
    one.count_replay()
    assert of(two)[("bursar_idempotency_replays_total", ())] == 0


@pytest.mark.temporal
async def test_worker_serves_its_metrics_on_loopback(settings: Settings) -> None:
    serving = settings.model_copy(update={"worker_metrics_port": free_port()})
    client = await connect(serving, runtime=worker_runtime(serving))
    queue = new_id("queue")
    async with Worker(client, task_queue=queue, workflows=[SampleWorkflow], activities=[Books().post]):
        handle = await client.start_workflow(SampleWorkflow.run, Pay(how="x"), id=new_id("run"), task_queue=queue)
        await handle.execute_update(SampleWorkflow.pay, Pay(how="regular well"))
        await handle.signal(SampleWorkflow.finish)
        await handle.result()
    async with httpx2.AsyncClient(timeout=60) as http:
        answer = await http.get(f"http://127.0.0.1:{serving.worker_metrics_port}/metrics")
    names = {name for name, _ in samples(answer.text)}
    # The names that docs/operate/observability.md gives.
    assert {
        "temporal_workflow_completed_total",
        "temporal_activity_execution_latency_seconds_count",
        "temporal_workflow_task_schedule_to_start_latency_seconds_count",
        "temporal_request_latency_seconds_count",
        "temporal_num_pollers",
        "temporal_worker_task_slots_available",
    } <= names


def test_occupied_metrics_port_is_a_clear_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as occupied:
        port = occupied.getsockname()[1]
        with pytest.raises(RuntimeError, match=f"metrics cannot be served on 127.0.0.1:{port}"):
            worker_runtime(Settings(worker_metrics_port=port))


async def test_payment_failures_are_served_by_the_worker_with_a_bounded_number_of_codes() -> None:
    port = free_port()
    runtime = worker_runtime(Settings(worker_metrics_port=port))
    meter = runtime.metric_meter
    failures = PaymentFailures()
    for number in range(PaymentFailures.MOST_CODES + 20):
        failures.count(meter, "stripe", f"code_{number}")
    failures.count(meter, "stripe", "code_0")
    failures.count(meter, "paypal", 'a "sentence"')
    async with httpx2.AsyncClient(timeout=60) as http:
        answer = await http.get(f"http://127.0.0.1:{port}/metrics")
    counted = {
        (dict(labels)["provider"], dict(labels)["code"]): value
        for (name, labels), value in samples(answer.text).items()
        if name == "bursar_payment_failures_total"
    }
    assert counted["stripe", "code_0"] == 2
    assert counted["stripe", "other"] == 20
    assert counted["paypal", "other"] == 1
    assert len(counted) == PaymentFailures.MOST_CODES + 2


def test_port_zero_serves_no_metrics() -> None:
    for runtime in (worker_runtime(Settings(worker_metrics_port=0)), client_runtime()):
        assert runtime.metric_meter is MetricMeter.noop


async def test_many_scrapers_share_one_text_written_outside_the_event_loop() -> None:
    metrics = ApiMetrics()
    now = 100.0
    writers: list[threading.Thread] = []
    refreshed: list[float] = []
    metrics.clock = lambda: now

    class Watched(Collector):
        def collect(self) -> Iterator[Metric]:
            writers.append(threading.current_thread())
            return iter(())

    metrics.registry.register(Watched())
    writers.clear()

    async def refresh() -> None:
        refreshed.append(now)

    answers = await asyncio.gather(*(metrics.scrape("", refresh) for _ in range(16)))
    assert len(set(answers)) == len(writers) == len(refreshed) == 1
    assert writers[0] is not threading.current_thread()
    now += RENDERED_SECONDS
    await metrics.scrape("", refresh)
    assert len(writers) == len(refreshed) == 2
