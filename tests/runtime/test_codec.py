import base64
import re

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, strategies as st
from pydantic import SecretStr
from temporalio.api.common.v1 import Payload
from temporalio.client import Client, WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.worker import Replayer, Worker

from domain.common.errors import WrongState
from runtime.codec import (
    ENCODING,
    KEY_ID_FIELD,
    NONCE_BYTES,
    SEAL,
    UNSEALED,
    EncryptionCodec,
    SealedPayloadError,
    encryption_codec,
    parse_keys,
    without_marks,
)
from runtime.identity import new_id
from runtime.interceptors import domain_error_from
from runtime.settings import Settings, WrongSettings, read_settings
from runtime.temporal import BursarPlugin, connect, data_converter
from tests.runtime.conftest import KEY_ONE, KEY_TWO
from tests.runtime.sample import Books, Paid, Pay, SampleWorkflow

PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=b'{"reason":"late"}')


def codec(*keys: str) -> EncryptionCodec:
    return EncryptionCodec(parse_keys(",".join(keys)))


async def test_sealed_payload_opens_to_the_same_payload() -> None:
    [sealed] = await codec(KEY_ONE).encode([PLAIN])
    assert sealed.metadata["encoding"] == ENCODING
    assert sealed.metadata[KEY_ID_FIELD] == b"k1"
    assert b"late" not in sealed.SerializeToString()
    assert await codec(KEY_ONE).decode([sealed]) == [PLAIN]


@given(data=st.binary(max_size=4096), name=st.text(max_size=20), value=st.binary(max_size=40))
async def test_every_payload_survives_the_round_trip(data: bytes, name: str, value: bytes) -> None:
    payload = Payload(metadata={"encoding": b"binary/plain", name: value}, data=data)
    both = codec(KEY_ONE)
    assert await both.decode(await both.encode([payload, payload])) == [payload, payload]


async def test_nonce_differs_for_equal_payloads() -> None:
    sealed = await codec(KEY_ONE).encode([PLAIN] * 50)
    assert len({payload.data[:NONCE_BYTES] for payload in sealed}) == 50


async def test_rotation_seals_with_the_first_key_and_opens_with_all() -> None:
    [old] = await codec(KEY_ONE).encode([PLAIN])
    rotated = codec(KEY_TWO, KEY_ONE)
    [new] = await rotated.encode([PLAIN])
    assert new.metadata[KEY_ID_FIELD] == b"k2"
    assert await rotated.decode([old, new]) == [PLAIN, PLAIN]


async def test_unknown_key_is_named_in_the_error() -> None:
    [sealed] = await codec(KEY_ONE).encode([PLAIN])
    with pytest.raises(SealedPayloadError, match="'k1'"):
        await codec(KEY_TWO).decode([sealed])


async def test_unsealed_payloads_pass_through_with_a_mark() -> None:
    forged = without_marks(PLAIN)
    forged.metadata[SEAL] = b"forged"
    passed = await codec(KEY_ONE).decode([PLAIN, forged, Payload()])
    assert [without_marks(payload) for payload in passed] == [PLAIN, PLAIN, Payload()]
    assert [(UNSEALED in payload.metadata, SEAL in payload.metadata) for payload in passed] == [(True, False)] * 3


async def test_sealed_payload_is_not_sealed_twice() -> None:
    sealed = await codec(KEY_ONE).encode([PLAIN])
    assert await codec(KEY_ONE).encode(sealed) == sealed


@pytest.mark.parametrize("damage", ["nonce", "body", "tag", "cipher", "short", "empty"])
async def test_tampering_is_noticed(damage: str) -> None:
    [sealed] = await codec(KEY_ONE).encode([PLAIN])
    position = {"nonce": 0, "body": NONCE_BYTES, "tag": len(sealed.data) - 1}.get(damage)
    if position is not None:
        changed = bytearray(sealed.data)
        changed[position] ^= 1
        sealed.data = bytes(changed)
    elif damage == "cipher":
        sealed.metadata["encryption-cipher"] = b"NONE"
    else:
        sealed.data = sealed.data[: {"short": 5, "empty": 0}[damage]]
    with pytest.raises(SealedPayloadError, match="cannot be decrypted"):
        await codec(KEY_ONE).decode([sealed])


async def test_key_id_is_bound_to_the_ciphertext() -> None:
    [sealed] = await codec(KEY_ONE).encode([PLAIN])
    same_key_other_id = KEY_ONE.replace("k1:", "k9:")
    sealed.metadata[KEY_ID_FIELD] = b"k9"
    with pytest.raises(SealedPayloadError):
        await codec(same_key_other_id).decode([sealed])


async def test_format_is_the_documented_one() -> None:
    [sealed] = await codec(KEY_ONE).encode([PLAIN])
    key = base64.b64decode(KEY_ONE.partition(":")[2])
    bound = b"binary/encrypted\x00AES-256-GCM\x00k1"
    opened = AESGCM(key).decrypt(sealed.data[:12], sealed.data[12:], bound)
    assert Payload.FromString(opened) == PLAIN


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("hunter2hunter2", "entry 1: expected id:key"),
        (":" + KEY_ONE[3:], "entry 1: expected id:key"),
        ("bad id:" + KEY_ONE[3:], "entry 1: expected id:key"),
        (KEY_ONE + ",k2:hunter2!!", "entry 2: the key is not base64"),
        (KEY_ONE + ",k2:aHVudGVyMg==", "entry 2: the key has 7 bytes"),
        (KEY_ONE + "," + KEY_ONE, "entry 2: the id of this entry is not unique"),
        (KEY_ONE + ",", "entry 2: expected id:key"),
    ],
)
def test_malformed_keys_are_refused_at_start_without_printing_them(text: str, problem: str) -> None:
    with pytest.raises(WrongSettings, match=re.escape(problem)) as raised:
        read_settings({"BURSAR_ENCRYPTION_KEYS": text})
    message = str(raised.value)
    assert message.startswith("BURSAR_ENCRYPTION_KEYS: ")
    assert "hunter2" not in message
    assert KEY_ONE[3:12] not in message
    assert raised.value.__cause__ is None


def test_encryption_is_off_without_keys() -> None:
    assert encryption_codec(None) is None
    assert encryption_codec(SecretStr(" ")) is None
    assert data_converter(Settings()).payload_codec is None


def test_url_safe_base64_is_the_same_key() -> None:
    standard = base64.b64encode(b"\xfb\xff" * 16).decode()
    assert parse_keys("a:" + standard)[0][1] == parse_keys("a:" + standard.replace("+", "-").replace("/", "_"))[0][1]


def test_derived_secrets_differ_by_purpose_and_key() -> None:
    one, two = codec(KEY_ONE), codec(KEY_TWO)
    assert len({one.derive("a"), one.derive("b"), two.derive("a")}) == 3
    assert one.derive("a") == codec(KEY_ONE, KEY_TWO).derive("a")


@pytest.mark.temporal
async def test_history_holds_no_plain_text_and_operators_may_signal_in_plain_json(settings: Settings) -> None:
    sealed_settings = settings.model_copy(update={"encryption_keys": SecretStr(KEY_ONE)})
    client = await connect(sealed_settings)
    plain = await Client.connect(settings.temporal_address)
    queue = new_id("queue")
    async with Worker(client, task_queue=queue, workflows=[SampleWorkflow], activities=[Books().post]):
        handle = await client.start_workflow(
            SampleWorkflow.run,
            Pay(how="SECRETSTART"),
            id=new_id("run"),
            task_queue=queue,
            static_summary="SECRETSUMMARY",
            memo={"note": "SECRETMEMO"},
        )
        await handle.execute_update(SampleWorkflow.pay, Pay(how="SECRETUPDATE", amount_minor=12345678))
        with pytest.raises(WorkflowUpdateFailedError) as failed:
            await handle.execute_update(SampleWorkflow.pay, Pay(how="refused"))
        # The Temporal UI sends plain JSON, without a codec.
        await plain.get_workflow_handle(handle.id).signal("notify", {"how": "from the UI"})
        await plain.get_workflow_handle(handle.id).signal("finish")
        assert await handle.result() == Paid(text="from the UI")
    refusal = domain_error_from(failed.value)
    assert isinstance(refusal, WrongState)
    assert (refusal.detail, refusal.extra) == ("The escrow is released.", {"state": "released"})
    raw = b"".join([e.SerializeToString() async for e in plain.get_workflow_handle(handle.id).fetch_history_events()])
    told = ["SECRETSTART", "SECRETSUMMARY", "SECRETMEMO", "SECRETUPDATE", "12345678"]
    for secret in (*told, "The escrow is released", "post to the books"):
        assert secret.encode() not in raw
    assert b"from the UI" in raw


@pytest.mark.temporal
async def test_failures_are_sealed_and_their_code_stays_readable(settings: Settings) -> None:
    sealed_settings = settings.model_copy(update={"encryption_keys": SecretStr(KEY_ONE)})
    client = await connect(sealed_settings)
    plain = await Client.connect(settings.temporal_address)
    queue = new_id("queue")
    async with Worker(client, task_queue=queue, workflows=[SampleWorkflow], activities=[Books().post]):
        handle = await client.start_workflow(SampleWorkflow.run, Pay(how="x"), id=new_id("run"), task_queue=queue)
        with pytest.raises(WorkflowUpdateFailedError):
            await handle.execute_update(SampleWorkflow.pay, Pay(how="regular poor"))
        await handle.terminate("done")
        with pytest.raises(WorkflowFailureError):
            await handle.result()
    raw = b"".join([e.SerializeToString() async for e in plain.get_workflow_handle(handle.id).fetch_history_events()])
    assert b"Not enough credits" not in raw
    assert b"Traceback" not in raw
    assert b"sample.py" not in raw
    assert b"ledger.insufficient_funds" in raw


@pytest.mark.temporal
@pytest.mark.parametrize("sealed_by_lost_key", ["the start", "an activity's result"])
async def test_run_whose_own_state_cannot_be_opened_waits_for_the_key(
    settings: Settings, sealed_by_lost_key: str
) -> None:
    def with_keys(*keys: str) -> Settings:
        return settings.model_copy(update={"encryption_keys": SecretStr(",".join(keys))})

    starts, works = (KEY_ONE, KEY_TWO) if sealed_by_lost_key == "the start" else (KEY_TWO, KEY_ONE)
    client, queue = await connect(with_keys(starts, works)), new_id("queue")
    worker = await connect(with_keys(works, starts))
    async with Worker(worker, task_queue=queue, workflows=[SampleWorkflow], activities=[Books().post]):
        handle = await client.start_workflow(SampleWorkflow.run, Pay(how="x"), id=new_id("run"), task_queue=queue)
        await handle.execute_update(SampleWorkflow.pay, Pay(how="y"))
        await handle.signal(SampleWorkflow.finish)
        await handle.result()
    history = await handle.fetch_history()

    def replayed_with(*keys: str) -> Replayer:
        converter = data_converter(with_keys(*keys))
        return Replayer(workflows=[SampleWorkflow], data_converter=converter, plugins=[BursarPlugin()])

    with pytest.raises(RuntimeError, match="Workflow activation completion failed"):
        await replayed_with(KEY_TWO).replay_workflow(history)
    await replayed_with(KEY_TWO, KEY_ONE).replay_workflow(history)
