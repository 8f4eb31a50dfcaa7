"""Commands that no honest caller sends, straight through Temporal: each is refused, and time goes on."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import text
from temporalio.api.common.v1 import Header, Payload, Payloads, WorkflowExecution
from temporalio.api.workflowservice.v1 import SignalWorkflowExecutionRequest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.common import RawValue
from temporalio.converter import PayloadConverter

from contracts.escrow.escrow import DeliverEscrow, DisputeEscrow, EscrowCommand, ResolveEscrow, ValidateEscrow
from contracts.payments.payment import RefundPayment
from domain.common.access import Actor, Role
from runtime.identity import new_id
from runtime.interceptors import CONTEXT_HEADER
from tests.workflows.conftest import Award, Job, Stage
from tests.workflows.payment_driver import new_payment, paid, refused

pytestmark = [pytest.mark.timeskip, pytest.mark.db]

ARBITER = Actor(principal="arbiter", role=Role.ARBITER)
VALIDATOR = Actor(principal="validator", role=Role.VALIDATOR)
#: Longer than an index of PostgreSQL takes, and nothing that could be compressed.
LONG = secrets.token_hex(8_000)


@asynccontextmanager
async def busy(job: Job) -> AsyncIterator[None]:
    """Keep the run of a delivered escrow waiting for the books, with a dispute that an operator has sent."""
    async with job.stage.database.platform() as session:
        await session.execute(text("SELECT 1 FROM escrows WHERE id = :id FOR UPDATE"), {"id": job.terms.escrow_id})
        await job.handle.signal("dispute", {"operator": "kim"})
        yield


@pytest.mark.usefixtures("short_tasks")
async def test_invalid_share_is_refused_by_a_busy_run(award: Award):
    job = await (await award()).delivered()
    async with busy(job):
        commands = [
            ResolveEscrow(command_id="c", actor=ARBITER, payee_share_e4=share)
            for share in (-1, 10_001, 10**30, -(10**30))
        ]
        asking = (refused(job.handle.execute_update("resolve", command)) for command in commands)
        assert await asyncio.gather(*asking) == ["request.invalid"] * len(commands)
    await job.pass_time(days=30)
    assert await job.end() in {"split", "refunded", "released"}


NULL = RawValue(Payload(metadata={"encoding": b"binary/null"}))
PAYLOAD = {"encoding": b"json/protobuf", "messageType": b"temporal.api.common.v1.Payload"}
PROTO = RawValue(Payload(metadata=PAYLOAD, data=b"{}"))


@pytest.mark.usefixtures("short_tasks")
async def test_pitfall_32_a_command_without_a_message_is_refused_by_a_run_that_is_busy(award: Award):
    job = await (await award()).delivered()
    async with busy(job):
        asking = [job.handle.execute_update("approve", given) for given in (NULL, PROTO)]
        answers = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(answer) for answer in answers] == [WorkflowUpdateFailedError] * len(asking)
    assert (await job.recorded("disputed")).actor == "temporal-ui:kim"


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("validate", ValidateEscrow(command_id="c", actor=VALIDATOR, score_e4=-1)),
        ("validate", ValidateEscrow(command_id="c", actor=VALIDATOR, score_e4=10_001)),
        ("validate", ValidateEscrow(command_id="c", actor=VALIDATOR, score_e4=9_000, note="x" * 1_500_000)),
        ("dispute", DisputeEscrow(command_id="c", actor=VALIDATOR, reason="x" * 1_500_000)),
        ("deliver", DeliverEscrow(command_id="c", actor=VALIDATOR, milestone="x" * 1_500_000)),
        ("dispute", DisputeEscrow(command_id=LONG, actor=Actor(principal="kim", role=Role.OPERATOR), reason="late")),
        ("dispute", DisputeEscrow(command_id=chr(0), actor=Actor(principal="kim", role=Role.OPERATOR), reason="late")),
    ],
    ids=["negative", "above one", "long note", "long reason", "long name", "long id", "id that cannot be stored"],
)
async def test_invalid_commands_to_an_escrow_are_refused(award: Award, name: str, command: EscrowCommand):
    job = await (await award()).delivered()
    assert await refused(job.handle.execute_update(name, command)) == "request.invalid"
    await job.pass_time(days=3, hours=1)
    assert await job.end() == "released"


@pytest.mark.parametrize("amount", [-1, 0])
async def test_a_refund_is_of_more_than_nothing(stage: Stage, amount: int):
    made = await paid(stage)
    assert await refused(made.send("refund", amount_minor=amount)) == "request.invalid"
    assert (await made.send("refund")).status == "refunded"


@pytest.mark.parametrize(
    "changes", [{"command_id": LONG}, {"command_id": chr(0)}, {"reason": "x" * 1_500_000}, {"amount_minor": -(10**30)}]
)
async def test_invalid_commands_to_a_payment_are_refused(stage: Stage, changes: dict[str, Any]):
    made = await paid(stage)
    fields = {"command_id": "c", "actor": made.actor, "refund_id": new_id("rfd"), **changes}
    assert await refused(made.handle.execute_update("refund", RefundPayment(**fields))) == "request.invalid"
    assert (await made.send("refund")).status == "refunded"


@pytest.mark.parametrize("amount", [-1, 0])
async def test_captured_amount_must_be_positive(stage: Stage, amount: int):
    made = await new_payment(stage)
    await made.create()
    assert await refused(made.send("capture", amount_minor=amount)) == "request.invalid"


async def test_signal_with_a_broken_log_context_is_accepted(award: Award):
    job = await (await award()).delivered()
    broken = Payload(metadata={"encoding": b"json/plain"}, data=b"{")
    [reason] = PayloadConverter.default.to_payloads([{"operator": "kim", "reason": "late"}])
    await job.stage.client.workflow_service.signal_workflow_execution(
        SignalWorkflowExecutionRequest(
            namespace=job.stage.client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=job.handle.id),
            signal_name="dispute",
            input=Payloads(payloads=[reason]),
            header=Header(fields={CONTEXT_HEADER: broken}),
        )
    )
    assert (await job.recorded("disputed")).actor == "temporal-ui:kim"
