import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from temporalio.client import Client, WithStartWorkflowOperation, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from contracts.common.queues import TASK_QUEUE
from domain.common.errors import (
    Conflict,
    DomainError,
    EscrowExists,
    Forbidden,
    InFlight,
    InsufficientFunds,
    Invalid,
    WrongState,
)
from runtime import logs
from runtime.identity import new_id
from runtime.interceptors import BursarInterceptor, application_error_from, domain_error_from
from runtime.settings import Settings
from runtime.temporal import PASSED_THROUGH, connect, data_converter
from tests.runtime.sample import Books, Paid, Pay, SampleWorkflow

Handle = WorkflowHandle[SampleWorkflow, Paid]


@asynccontextmanager
async def running(client: Client, books: Books) -> AsyncIterator[Handle]:
    """One sample workflow on its own worker, completed after the block."""
    queue = new_id("queue")
    async with Worker(client, task_queue=queue, workflows=[SampleWorkflow], activities=[books.post]):
        handle = await client.start_workflow(SampleWorkflow.run, Pay(how="start"), id=new_id("run"), task_queue=queue)
        yield handle
        await handle.signal(SampleWorkflow.finish)
        await handle.result()


async def refusal_of(handle: Handle, how: str) -> DomainError | None:
    with pytest.raises(WorkflowUpdateFailedError) as failed:
        await handle.execute_update(SampleWorkflow.pay, Pay(how=how))
    return domain_error_from(failed.value)


async def failed_tasks(handle: Handle) -> int:
    history = await handle.fetch_history()
    return sum(event.HasField("workflow_task_failed_event_attributes") for event in history.events)


@pytest.mark.temporal
async def test_refusal_of_a_validator_reaches_the_caller_with_its_state(client: Client) -> None:
    async with running(client, Books()) as handle:
        refusal = await refusal_of(handle, "refused")
        assert isinstance(refusal, WrongState)
        assert (refusal.error_code, refusal.status, refusal.retryable) == ("escrow.wrong_state", 409, False)
        assert refusal.detail == "The escrow is released."
        assert refusal.extra == {"state": "released"}
        assert await failed_tasks(handle) == 0


@pytest.mark.temporal
async def test_refusal_of_a_handler_fails_the_update_and_not_the_workflow_task(client: Client) -> None:
    async with running(client, Books()) as handle:
        refusal = await refusal_of(handle, "narrowed")
        assert isinstance(refusal, Conflict)
        assert (refusal.error_code, refusal.status) == ("escrow.not_a_signatory", 409)
        assert refusal.extra == {"state": "funded"}
        assert await failed_tasks(handle) == 0
        paid = await handle.execute_update(SampleWorkflow.pay, Pay(how="well", amount_minor=7))
        assert paid == Paid(text="posted 7")


@pytest.mark.temporal
@pytest.mark.parametrize("how", ["poor", "regular poor"])
async def test_refusal_of_an_activity_is_not_retried_and_reaches_the_caller(client: Client, how: str) -> None:
    books = Books()
    async with running(client, books) as handle:
        refusal = await refusal_of(handle, how)
        assert isinstance(refusal, InsufficientFunds)
        assert refusal.extra == {"available": "1.00"}
        assert books.attempts == 1


@pytest.mark.temporal
@pytest.mark.parametrize("how", ["busy", "outage"])
async def test_retryable_refusal_and_outage_are_retried_until_they_end(client: Client, how: str) -> None:
    books = Books()
    async with running(client, books) as handle:
        paid = await handle.execute_update(SampleWorkflow.pay, Pay(how=how, amount_minor=5))
        assert paid == Paid(text="posted 5")
        assert books.attempts == 3


@pytest.mark.temporal
async def test_workflow_can_catch_a_refusal_of_an_activity(client: Client) -> None:
    async with running(client, Books()) as handle:
        paid = await handle.execute_update(SampleWorkflow.pay, Pay(how="caught"))
        assert paid == Paid(text="caught ledger.insufficient_funds")


@pytest.mark.temporal
async def test_refused_signal_leaves_the_run_alive(client: Client) -> None:
    async with running(client, Books()) as handle:
        await handle.signal(SampleWorkflow.notify, Pay(how="refused"))
        await handle.signal(SampleWorkflow.notify, Pay(how="poor"))
        await handle.signal(SampleWorkflow.notify, Pay(how="fine"))
    assert await handle.result() == Paid(text="refused,poor,fine")
    assert await failed_tasks(handle) == 0


@pytest.mark.temporal
async def test_request_and_organization_reach_the_activity_and_every_log_line(
    settings: Settings, tmp_path: Path, restored_logging: None
) -> None:
    log_file = tmp_path / "worker.log"
    logs.configure(Settings(log_file=log_file, log_level="INFO"), "worker")
    books = Books()
    client = await connect(settings)
    async with running(client, books) as handle:
        with structlog.contextvars.bound_contextvars(request_id="req_1", org_id="org_1", principal="procurement"):
            await handle.execute_update(SampleWorkflow.pay, Pay(how="well"))
        with structlog.contextvars.bound_contextvars(request_id="req_2"):
            await handle.execute_update(SampleWorkflow.pay, Pay(how="regular well"))
        with structlog.contextvars.bound_contextvars(request_id="req_3"):
            start = WithStartWorkflowOperation(
                SampleWorkflow.run,
                Pay(how="start"),
                id=handle.id,
                task_queue=(await handle.describe()).task_queue,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            )
            await client.execute_update_with_start_workflow(
                SampleWorkflow.pay, Pay(how="well"), start_workflow_operation=start
            )
    expected = {"workflow_id": handle.id, "activity": "post"}
    assert books.contexts == [
        {**expected, "request_id": "req_1", "org_id": "org_1"},
        {**expected, "request_id": "req_2"},
        {**expected, "request_id": "req_3"},
    ]
    lines = [json.loads(line) for line in log_file.read_text().splitlines()]
    paying = [line for line in lines if line["event"] == "paying"]
    assert [line["request_id"] for line in paying] == ["req_1", "req_2", "req_3"]
    assert {line["workflow_id"] for line in paying} == {handle.id}
    assert {(line["workflow"], line["update"], line["part"]) for line in paying} == {("sample", "pay", "worker")}
    posting = [line for line in lines if line["event"] == "posting"]
    assert [(line["request_id"], line["workflow_id"]) for line in posting] == [
        ("req_1", handle.id),
        ("req_2", handle.id),
        ("req_3", handle.id),
    ]


@pytest.mark.temporal
async def test_refusal_is_recognised_in_a_sandbox_that_loads_its_own_classes(settings: Settings) -> None:
    passed = SandboxRestrictions.default.with_passthrough_modules(*(set(PASSED_THROUGH) - {"domain"}))
    books, queue = Books(), new_id("queue")
    plain = await Client.connect(
        settings.temporal_address, data_converter=data_converter(settings), interceptors=[BursarInterceptor()]
    )
    async with Worker(
        plain,
        task_queue=queue,
        workflows=[SampleWorkflow],
        activities=[books.post],
        workflow_runner=SandboxedWorkflowRunner(restrictions=passed),
    ):
        handle = await plain.start_workflow(SampleWorkflow.run, Pay(how="start"), id=new_id("run"), task_queue=queue)
        for how in ("refused", "narrowed", "poor"):
            assert await refusal_of(handle, how) is not None
        await handle.signal(SampleWorkflow.notify, Pay(how="refused"))
        await handle.signal(SampleWorkflow.finish)
        assert await handle.result() == Paid(text="refused")
        assert await failed_tasks(handle) == 0


@pytest.mark.parametrize(
    "error",
    [
        Invalid("No.", extra={"field": "amount"}),
        WrongState("No.", extra={"state": "released"}),
        InFlight("No."),
        EscrowExists("No."),
        Forbidden("No."),
    ],
)
def test_translation_to_temporal_and_back_keeps_everything(error: DomainError) -> None:
    back = domain_error_from(application_error_from(error))
    assert back is not None
    assert (back.error_code, back.status, back.retryable) == (error.error_code, error.status, error.retryable)
    assert (back.detail, back.extra, type(back)) == (error.detail, error.extra, type(error))


def test_refusal_of_a_newer_version_keeps_code_and_status() -> None:
    unknown = ApplicationError("Try later.", 423, "Try later.", {}, type="spend.locked", non_retryable=False)
    back = domain_error_from(unknown)
    assert back is not None
    assert (back.error_code, back.status, back.retryable) == ("spend.locked", 423, True)


def test_failure_of_another_kind_is_no_refusal() -> None:
    assert domain_error_from(ApplicationError("boom", type="ValueError")) is None
    assert domain_error_from(ApplicationError("boom", "a", "b", "c", type="ValueError")) is None
    assert domain_error_from(RuntimeError("boom")) is None
    assert domain_error_from(None) is None


def test_task_queue_is_named_once() -> None:
    assert TASK_QUEUE == "bursar"


class _Silent(ActivityInboundInterceptor):
    """An activity that sends no heartbeat itself, and ends once the server has received some."""

    def __init__(self, beats: asyncio.Queue[tuple[object, ...]]) -> None:
        self.beats = beats

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        async with asyncio.timeout(300):
            return [await self.beats.get() for _ in range(3)]


async def test_activity_that_waits_for_long_gives_signs_of_life() -> None:
    beats: asyncio.Queue[tuple[object, ...]] = asyncio.Queue()
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, heartbeat_timeout=timedelta(milliseconds=40))
    environment.on_heartbeat = lambda *details: beats.put_nowait(details)
    call = ExecuteActivityInput(fn=_Silent.execute_activity, args=(), executor=None, headers={})
    inbound = BursarInterceptor().intercept_activity(_Silent(beats))
    assert await environment.run(inbound.execute_activity, call) == [(), (), ()]
