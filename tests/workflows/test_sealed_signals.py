"""With encryption keys, what reaches a run counts for whom the codec vouches for, and for nobody else."""

import asyncio
import base64
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
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
from contracts.common import search_attributes
from contracts.escrow.escrow import ApproveEscrow
from dev.stack.process import START_SECONDS
from dev.stack.temporal import find_temporal
from domain.common.access import Actor, Role
from domain.payments.payment.snapshot import ProviderStatus
from domain.payments.payment.state import RECEIPT_WINDOW
from repositories.common.listing import ListFilter
from repositories.tenants import audit
from runtime.codec import EncryptionCodec, parse_keys
from runtime.database import Database
from runtime.interceptors import domain_error_from
from runtime.settings import Settings
from runtime.temporal import data_converter
from tests.support.looking import again
from tests.workflows.conftest import Job, Stage, api_of, stage_on, with_plugin
from tests.workflows.payment_driver import COMMANDS, PaymentDriver, new_payment, paid

pytestmark = [pytest.mark.db, pytest.mark.temporal]

ROOT = Path(__file__).resolve().parents[2]
KEYS = "2026a:" + base64.b64encode(bytes(range(32))).decode()
SETTINGS = Settings(encryption_keys=SecretStr(KEYS))


class OnlyOpens(EncryptionCodec):
    """Reads answers and seals nothing, as somebody would who reaches Temporal and is given what it answers."""

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return list(payloads)


@dataclass
class Intruder:
    """A client of Temporal, and an operator's browser with a session at the codec."""

    stage: Stage
    plain: Client
    codec: httpx2.AsyncClient

    async def seal(self, content: dict[str, Any]) -> Payload:
        """Seal a signal for `kim` by the codec, as the Temporal UI does."""
        [payload] = PayloadConverter.default.to_payloads([content])
        body = MessageToDict(Payloads(payloads=[payload]))
        answer = await self.codec.post("/codec/encode", json=body, headers={"Authorization": "Bearer kim"})
        assert answer.status_code == 200
        return ParseDict(answer.json(), Payloads()).payloads[0]

    async def send(self, job: Job | PaymentDriver, name: str, content: dict[str, Any] | Payload) -> None:
        arg = RawValue(content) if isinstance(content, Payload) else content
        await self.plain.get_workflow_handle(job.handle.id).signal(name, arg)


async def server_with_keys() -> WorkflowEnvironment:
    return await WorkflowEnvironment.start_local(
        dev_server_existing_path=find_temporal(),
        dev_server_startup_timeout=timedelta(seconds=START_SECONDS),
        search_attributes=search_attributes.ALL,
        data_converter=data_converter(SETTINGS),
    )


async def client_in_clear(environment: WorkflowEnvironment) -> Client:
    sends_in_clear = replace(data_converter(SETTINGS), payload_codec=OnlyOpens(parse_keys(KEYS)))
    return await environment.connect_client(data_converter=sends_in_clear)


@pytest.fixture(scope="module")
async def temporal(database_urls: Any) -> AsyncIterator[Intruder]:
    async def authenticate(request: Any) -> Actor:
        return Actor(principal=request.headers["authorization"].removeprefix("Bearer "), role=Role.OPERATOR, key_id="k")

    app = FastAPI()
    app.include_router(codec_router(SETTINGS, authenticate))
    environment = await server_with_keys()
    async with environment, stage_on(environment, database_urls, sealed_signals=True) as stage:
        plain = await client_in_clear(environment)
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://api") as codec:
            yield Intruder(stage, plain, codec)


async def refusals(job: Job | PaymentDriver, count: int) -> list[tuple[str, str]]:
    """Return refused senders and reasons, once the timeline has a number of them."""
    while True:
        found = [event for event in await job.timeline() if event.kind == "command_refused"]
        if len(found) >= count:
            return [(event.actor, event.details["code"]) for event in found]
        await again()


async def test_a_signal_that_nobody_sealed_is_refused_whatever_it_says(temporal):
    job = await (await temporal.stage.award(required_signatures=1)).delivered()
    forged = {"seal": {"operator": "kim", "seal_id": "1"}, "approve": job.terms.escrow_id}
    [payload] = PayloadConverter.default.to_payloads([{**forged, "signatory": "finance", "operator": "kim"}])
    payload.metadata["bursar-seal"] = b'{"operator": "kim", "seal_id": "1"}'
    await temporal.send(job, "approve", payload)
    await temporal.send(job, "approve", {**forged, "signatory": "finance", "operator": "nora"})
    assert await refusals(job, 2) == [
        ("temporal-ui:kim", "escrow.signal_not_sealed"),
        ("temporal-ui:nora", "escrow.signal_not_sealed"),
    ]
    assert (await job.state()).signatures == ()


async def test_a_sealed_signal_is_the_act_of_whom_the_codec_authenticated(temporal):
    job = await (await temporal.stage.award()).delivered()
    signal = {"approve": job.terms.escrow_id, "signatory": "finance", "operator": "somebody else"}
    await temporal.send(job, "approve", await temporal.seal(signal))
    assert (await job.recorded("approved")).actor == "kim"
    async with temporal.stage.database.platform() as session:
        wanted = ListFilter(equal={"action": "escrow.approved", "target": job.terms.escrow_id})
        [entry] = (await audit.page(session, replace(wanted, limit=10))).rows
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


@asynccontextmanager
async def worker_process(environment: WorkflowEnvironment, database_urls: Any) -> AsyncIterator[None]:
    """Run the product's own worker, which has the keys and no other setting about signals."""
    settings = {
        "BURSAR_ENCRYPTION_KEYS": KEYS,
        "BURSAR_DATABASE_URL": database_urls.tenant,
        "BURSAR_PLATFORM_DATABASE_URL": database_urls.platform,
        "BURSAR_TEMPORAL_ADDRESS": environment.client.service_client.config.target_host,
        "BURSAR_WORKER_METRICS_PORT": "0",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "worker.py", cwd=ROOT, env={**os.environ, **settings}
    )
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


async def test_a_worker_that_has_keys_refuses_what_nobody_sealed(database_urls):
    database = Database(database_urls.tenant, database_urls.platform)
    patient = Settings(command_timeout=timedelta(minutes=1))  # the first command waits for the process to be there
    environment = await server_with_keys()
    async with (
        environment,
        worker_process(environment, database_urls),
        api_of(database_urls, database, patient) as deps,
    ):
        stage = Stage(environment, with_plugin(environment.client), database, deps)
        job = await (await stage.award(required_signatures=1)).delivered()
        handle = (await client_in_clear(environment)).get_workflow_handle(job.handle.id)
        await handle.signal("approve", {"approve": job.terms.escrow_id, "signatory": "finance", "operator": "kim"})
        while (last := (await job.timeline())[-1]).kind == "delivered":
            await again()
    await database.close()
    assert (last.kind, last.details.get("code")) == ("command_refused", "escrow.signal_not_sealed")


# Payments -------------------------------------------------------------------------------------------------------------


@pytest.fixture
async def lost_refund(temporal: Intruder) -> AsyncIterator[PaymentDriver]:
    """A paid payment with a refund that its provider does not have, and that cannot be looked up."""
    made, fake = await paid(temporal.stage), temporal.stage.fake
    fake.breaks.append("before")
    fake.refuses.add("find_refund")
    await made.send("refund", amount_minor=400)
    await made.happened("refund_unknown")
    yield made
    fake.refuses.clear()


async def charged_back(stage: Stage) -> PaymentDriver:
    made = await paid(stage)
    made.there.dispute()
    await made.refreshed()
    return made


def calls_that_change(stage: Stage, made: PaymentDriver | None = None) -> list[tuple[str, str]]:
    """Return what was changed at the provider; of one payment, where others may be under way still."""
    own = "" if made is None else made.terms.payment_id
    return [call for call in stage.fake.calls if call[0] not in {"retrieve", "find", "find_refund"} and own in call[1]]


async def test_a_payments_signal_that_nobody_sealed_is_refused_before_its_provider_is_called(temporal):
    bought, waiting = await paid(temporal.stage), await new_payment(temporal.stage)
    await waiting.create()
    before = calls_that_change(temporal.stage)
    forged = {"operator": "kim", "seal": {"operator": "kim", "seal_id": "1"}}
    [payload] = PayloadConverter.default.to_payloads([{**forged, "refund": bought.terms.payment_id}])
    payload.metadata["bursar-seal"] = b'{"operator": "kim", "seal_id": "1"}'
    await temporal.send(bought, "refund", payload)
    await temporal.send(waiting, "cancel", {**forged, "cancel": waiting.terms.payment_id})
    await waiting.handle.cancel()
    unsealed = ("temporal-ui:kim", "payment.signal_not_sealed")
    unnamed = ("temporal-ui:cancellation", "payment.operator_unnamed")
    assert await refusals(bought, 1) == [unsealed]
    assert await refusals(waiting, 2) == [unsealed, unnamed]
    assert calls_that_change(temporal.stage) == before
    assert ((await bought.state()).refunds, (await waiting.state()).status) == ((), "requires_action")


async def test_an_unsealed_signal_does_not_give_a_refund_up(temporal, lost_refund):
    made = lost_refund
    word = {"reason": "so they said", "at_provider": False}
    await temporal.send(made, "give_up", {**word, "operator": "kim"})
    assert await refusals(made, 1) == [("temporal-ui:kim", "payment.signal_not_sealed")]
    said = {"command_id": "forged", "refund_id": (await made.state()).refunds[0].refund_id, "reason": "so they said"}
    forged = COMMANDS["give_up"](actor=made.actor, **said)
    with pytest.raises(WorkflowUpdateFailedError):
        await temporal.plain.get_workflow_handle(made.handle.id).execute_update("give_up", forged)
    assert "refund_given_up" not in await made.kinds()


@pytest.mark.parametrize("name", ["refund", "cancel"])
async def test_a_payments_sealed_signal_is_the_act_of_whom_the_codec_authenticated(temporal, name):
    made = await new_payment(temporal.stage)
    await made.create()
    if name == "refund":
        made.there.pay()
        await made.refreshed()
    signal = {name: made.terms.payment_id, "operator": "somebody else"}
    await temporal.send(made, name, await temporal.seal(signal))
    kind = {"refund": "refund_requested", "cancel": "cancelled"}[name]
    await made.happened(kind)
    async with temporal.stage.database.platform() as session:
        wanted = ListFilter(equal={"action": f"payment.{kind}", "target": made.terms.payment_id})
        [entry] = (await audit.page(session, replace(wanted, limit=10))).rows
    assert (entry.principal, entry.key_id) == ("kim", "k")


async def test_a_copy_of_a_payments_sealed_signal_does_nothing(temporal):
    first, other = await paid(temporal.stage), await paid(temporal.stage)
    refund = await temporal.seal({"refund": first.terms.payment_id, "amount": "1.00"})
    for made, name in ((first, "refund"), (first, "refund"), (other, "refund"), (other, "cancel"), (first, "cancel")):
        await temporal.send(made, name, refund)
    assert await refusals(other, 2) == [("kim", "payment.signal_for_another"), ("kim", "payment.signal_unaddressed")]
    assert await refusals(first, 1) == [("kim", "payment.signal_unaddressed")]
    assert [refund.amount_minor for refund in (await first.state()).refunds] == [100]
    assert (await other.state()).refunds == ()


async def test_a_sealed_signal_that_was_refused_or_came_to_nothing_has_used_its_id_up(temporal):
    made = await new_payment(temporal.stage)
    await made.create()
    early = await temporal.seal({"refund": made.terms.payment_id})
    in_vain = await temporal.seal({"cancel": made.terms.payment_id})
    await temporal.send(made, "refund", early)
    await refusals(made, 1)
    made.there.pay()
    await temporal.send(made, "cancel", in_vain)
    found = [("kim", "payment.wrong_state"), ("kim", "payment.wrong_state")]
    assert await refusals(made, 2) == found
    for name, copied in (("refund", early), ("cancel", in_vain)):
        await temporal.send(made, name, copied)
    assert (await made.send("refund", amount_minor=100)).status == "partially_refunded"
    assert [refund.amount_minor for refund in (await made.state()).refunds] == [100]
    assert await refusals(made, 2) == found


@pytest.mark.parametrize("name", ["confirm", "capture", "cancel", "refund", "submit_evidence"])
async def test_a_payments_command_that_the_product_did_not_seal_is_refused_before_its_provider_is_called(
    temporal, name
):
    stage, fields = temporal.stage, dict[str, Any]()
    if name == "refund":
        made, fields = await paid(stage), {"refund_id": "rfd_forged"}
    elif name == "submit_evidence":
        made = await charged_back(stage)
        fields = {"dispute_ref": (await made.state()).disputes[0].ref, "text": "Delivered."}
    else:
        made = await new_payment(stage, manual_capture=name == "capture")
        await made.create()
        if name == "capture":
            made.there.authorize()
            await made.refreshed()
    before = await made.state(), calls_that_change(stage, made)
    forged = COMMANDS[name](command_id="forged", actor=made.actor, **fields)
    for sent in (forged, RawValue(await temporal.seal(forged.model_dump(mode="json")))):
        with pytest.raises(WorkflowUpdateFailedError) as failed:
            await temporal.plain.get_workflow_handle(made.handle.id).execute_update(name, sent)
        assert domain_error_from(failed.value).error_code == "payment.signal_not_sealed"
    assert (await made.state(), calls_that_change(stage, made)) == before


async def test_a_copy_of_a_cancellation_that_the_run_has_forgotten_ends_nothing(temporal):
    made, fake = await new_payment(temporal.stage, refundable=False), temporal.stage.fake
    await made.create()
    made.there.process()
    cancel = await temporal.seal({"cancel": made.terms.payment_id})
    await temporal.send(made, "cancel", cancel)
    await refusals(made, 1)
    made.there.status = ProviderStatus.REQUIRES_ACTION
    await made.refreshed()
    asked = [call for call in fake.calls if call[0] == "cancel"]
    for _ in range(RECEIPT_WINDOW):
        await temporal.send(made, "refund", {})
    await refusals(made, RECEIPT_WINDOW + 1)
    await temporal.send(made, "cancel", cancel)
    await temporal.send(made, "refund", {})
    await refusals(made, RECEIPT_WINDOW + 2)
    assert [call for call in fake.calls if call[0] == "cancel"] == asked
    assert (await made.state()).status == "requires_action"
