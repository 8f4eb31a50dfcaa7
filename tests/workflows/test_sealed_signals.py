"""With encryption keys, what reaches a run counts for whom the codec vouches for, and for nobody else."""

import base64
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from google.protobuf.json_format import MessageToDict, ParseDict
from pydantic import SecretStr
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.common import RawValue
from temporalio.converter import PayloadConverter
from temporalio.testing import WorkflowEnvironment

from api.codec import codec_router
from contracts import search_attributes
from contracts.escrow import ApproveEscrow
from domain.access import Actor, Role
from repositories import audit
from runtime.codec import EncryptionCodec, parse_keys
from runtime.interceptors import domain_error_from
from runtime.settings import Settings
from runtime.temporal import data_converter
from stack.temporal import find_temporal
from tests.workflows.conftest import Job, Stage, stage_on

pytestmark = [pytest.mark.db, pytest.mark.temporal]

KEYS = "2026a:" + base64.b64encode(bytes(range(32))).decode()
SETTINGS = Settings(encryption_keys=SecretStr(KEYS))


class OnlyOpens(EncryptionCodec):
    """Reads answers and seals nothing, as somebody would who reaches Temporal and is given what it answers."""

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return list(payloads)


@dataclass
class Intruder:
    """Whoever reaches Temporal, and an operator's browser that has a session at the codec."""

    stage: Stage
    plain: Client
    codec: httpx.AsyncClient

    async def seal(self, content: dict[str, Any]) -> Payload:
        """Have the codec seal a signal for `kim`, as the Temporal UI does."""
        [payload] = PayloadConverter.default.to_payloads([content])
        body = MessageToDict(Payloads(payloads=[payload]))
        answer = await self.codec.post("/codec/encode", json=body, headers={"Authorization": "Bearer kim"})
        assert answer.status_code == 200
        return ParseDict(answer.json(), Payloads()).payloads[0]

    async def send(self, job: Job, name: str, content: dict[str, Any] | Payload) -> None:
        arg = RawValue(content) if isinstance(content, Payload) else content
        await self.plain.get_workflow_handle(job.handle.id).signal(name, arg)


@pytest.fixture(scope="module")
async def temporal(database_urls: Any) -> AsyncIterator[Intruder]:
    async def authenticate(request: Any) -> Actor:
        return Actor(principal=request.headers["authorization"].removeprefix("Bearer "), role=Role.OPERATOR, key_id="k")

    app = FastAPI()
    app.include_router(codec_router(SETTINGS, authenticate))
    environment = await WorkflowEnvironment.start_local(
        dev_server_existing_path=find_temporal(),
        search_attributes=search_attributes.ALL,
        data_converter=data_converter(SETTINGS),
    )
    async with environment, stage_on(environment, database_urls, sealed_signals=True) as stage:
        sends_in_clear = replace(data_converter(SETTINGS), payload_codec=OnlyOpens(parse_keys(KEYS)))
        plain = await environment.connect_client(data_converter=sends_in_clear)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://api") as codec:
            yield Intruder(stage, plain, codec)


async def refusals(job: Job, count: int) -> list[tuple[str, str]]:
    """Return who was refused and why, once the timeline has so many of them."""
    while True:
        found = [event for event in await job.timeline() if event.kind == "command_refused"]
        if len(found) >= count:
            return [(event.actor, event.details["code"]) for event in found]


async def test_a_signal_that_nobody_sealed_is_refused_whatever_it_says(temporal):
    job = await (await temporal.stage.award(required_signatures=1)).delivered()
    forged = {"seal": {"operator": "kim", "seal_id": "1"}, "approve": job.terms.escrow_id}
    [payload] = PayloadConverter.default.to_payloads([{**forged, "signatory": "finance", "operator": "kim"}])
    payload.metadata["bursar-seal"] = b'{"operator": "kim", "seal_id": "1"}'
    await temporal.send(job, "approve", payload)
    await temporal.send(job, "approve", {**forged, "signatory": "finance"})
    assert await refusals(job, 2) == [
        ("temporal-ui:kim", "escrow.signal_not_sealed"),
        ("temporal-ui:operator", "escrow.signal_not_sealed"),
    ]
    assert (await job.state()).signatures == ()


async def test_a_sealed_signal_is_the_act_of_whom_the_codec_authenticated(temporal):
    job = await (await temporal.stage.award(named_operators=True)).delivered()
    signal = {"approve": job.terms.escrow_id, "signatory": "finance", "operator": "somebody else"}
    await temporal.send(job, "approve", await temporal.seal(signal))
    assert (await job.told("approved")).actor == "kim"
    async with temporal.stage.database.platform() as session:
        [entry] = await audit.page(
            session, org_id=None, action="escrow.approved", target=job.terms.escrow_id, before=None, limit=10
        )
    assert (entry.principal, entry.key_id) == ("kim", "k")


async def test_a_copy_of_a_sealed_signal_does_nothing(temporal):
    first = await (await temporal.stage.award(required_signatures=1)).delivered()
    other = await (await temporal.stage.award(required_signatures=1)).delivered()
    copied = await temporal.seal({"dispute": first.terms.escrow_id, "reason": "look"})
    early = await temporal.seal({"resolve": first.terms.escrow_id, "payee_share": "0"})
    await temporal.send(first, "resolve", early)
    await temporal.send(first, "dispute", copied)
    for job, name, payload in (
        (other, "dispute", copied),
        (other, "cancel", copied),
        (first, "resolve", early),
        (first, "cancel", copied),
    ):
        await temporal.send(job, name, payload)
    assert await refusals(other, 2) == [("kim", "escrow.signal_for_another"), ("kim", "escrow.signal_unaddressed")]
    assert await refusals(first, 2) == [("kim", "escrow.wrong_state"), ("kim", "escrow.signal_unaddressed")]
    assert ((await first.state()).status, (await other.state()).status) == ("disputed", "delivered")


async def test_a_command_that_nobody_sealed_is_refused(temporal):
    job = await (await temporal.stage.award(required_signatures=1)).delivered()
    forged = ApproveEscrow(command_id="forged", actor=job.finance)
    with pytest.raises(WorkflowUpdateFailedError) as failed:
        await temporal.plain.get_workflow_handle(job.handle.id).execute_update("approve", forged)
    assert domain_error_from(failed.value).error_code == "escrow.signal_not_sealed"
    assert (await job.send("approve", job.finance)).status == "released"


async def test_a_command_that_an_operator_had_sealed_is_not_the_act_of_whom_it_names(temporal):
    job = await (await temporal.stage.award(required_signatures=1)).delivered()
    forged = ApproveEscrow(command_id="forged", actor=job.finance).model_dump(mode="json")
    with pytest.raises(WorkflowUpdateFailedError) as failed:
        await temporal.plain.get_workflow_handle(job.handle.id).execute_update(
            "approve", RawValue(await temporal.seal(forged))
        )
    assert domain_error_from(failed.value).error_code == "escrow.signal_not_sealed"
    assert (await job.state()).signatures == ()
