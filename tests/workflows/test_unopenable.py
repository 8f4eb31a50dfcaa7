"""With encryption keys, a message that no key opens is refused like any other malformed one, and time goes on."""

import base64
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr
from temporalio.api.common.v1 import Payload
from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.common import RawValue

from runtime.codec import EncryptionCodec, PassingCodec, parse_keys
from runtime.settings import Settings
from runtime.temporal import data_converter
from tests.support.looking import again
from tests.workflows.conftest import Stage, own_server, stage_on
from tests.workflows.payment_driver import new_payment

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]

KEY = base64.b64encode(bytes(range(32))).decode()
STRANGER = base64.b64encode(bytes(32)).decode()
REFERENCE = b"temporal.api.sdk.v1.ExternalStorageReference"


class Passes(PassingCodec):
    """Seals nothing, as somebody would who reaches Temporal."""

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return list(payloads)


async def unopenable() -> list[RawValue]:
    """Return what says that it is sealed, or that it is stored elsewhere, and is neither."""
    content = Payload(metadata={"encoding": b"json/plain"}, data=b'{"operator":"kim"}')
    [unknown] = await EncryptionCodec(parse_keys(f"lost:{STRANGER}")).encode([content])
    [tampered] = await EncryptionCodec(parse_keys(f"2026a:{STRANGER}")).encode([content])
    ours = EncryptionCodec(parse_keys(f"2026a:{KEY}"))
    no_payload = ours.seal_bytes(b"\xff\xff\xff")
    garbage = Payload(metadata={"encoding": b"binary/encrypted"}, data=b"garbage")
    marked = Payload(metadata={"encoding": b"json/plain", "__temporal_external_storage_reference": b"true"}, data=b"{")
    legacy = Payload(metadata={"encoding": b"json/external-storage-reference"}, data=b"{}")
    claim = Payload(metadata={"encoding": b"json/protobuf", "messageType": REFERENCE}, data=b"{}")
    return [RawValue(payload) for payload in (unknown, tampered, no_payload, garbage, marked, legacy, claim)]


@pytest.fixture(scope="module")
async def temporal(database_urls: Any) -> AsyncIterator[tuple[Stage, Client]]:
    settings = Settings(encryption_keys=SecretStr(f"2026a:{KEY}"))
    async with (
        own_server(settings=settings) as environment,
        stage_on(environment, database_urls, sealed_signals=True) as stage,
    ):
        sends_as_it_is = replace(data_converter(settings), payload_codec=Passes(parse_keys(f"2026a:{KEY}")))
        yield stage, await environment.connect_client(data_converter=sends_as_it_is)


async def test_pitfall_32_an_escrow_refuses_what_no_key_opens_and_deadlines_still_act(temporal):
    sealed, intruder = temporal
    job = await (await sealed.award()).delivered()
    given, handle = await unopenable(), intruder.get_workflow_handle(job.handle.id)
    for each in given:
        with pytest.raises(WorkflowUpdateFailedError):
            await handle.execute_update("approve", each)
        await handle.signal("dispute", each)
    while (await job.kinds()).count("command_refused") < len(given):
        await again()
    refused = [event.details for event in await job.timeline() if event.kind == "command_refused"]
    assert {(each["command"], each["code"]) for each in refused} == {("dispute", "request.invalid")}
    await job.pass_time(days=3, hours=1)
    assert await job.end() == "released"


async def test_pitfall_32_a_payment_refuses_what_no_key_opens_and_its_time_still_ends(temporal):
    sealed, intruder = temporal
    made = await new_payment(sealed)
    await made.create()
    given, handle = await unopenable(), intruder.get_workflow_handle(made.handle.id)
    for each in given:
        with pytest.raises(WorkflowUpdateFailedError):
            await handle.execute_update("cancel", each)
        await handle.signal("refund", each)
    await made.happened("command_refused", len(given))
    refused = [event.details for event in await made.timeline() if event.kind == "command_refused"]
    assert {(each["command"], each["code"]) for each in refused} == {("refund", "request.invalid")}
    await made.pass_time(hours=24)
    assert (await made.until("expired")).received_minor == 0
