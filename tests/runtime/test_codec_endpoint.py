import asyncio
import base64
import json
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from http.cookies import SimpleCookie

import httpx2
import pytest
import uvicorn
from fastapi import FastAPI
from google.protobuf.json_format import MessageToDict
from pydantic import SecretStr
from starlette.requests import Request
from temporalio.api.common.v1 import Payloads
from temporalio.client import Client
from temporalio.worker import Worker

from api.codec import COOKIE, SESSION_SECONDS, Session, codec_router, ui_origins
from dev.stack.temporal import find_temporal
from domain.common.access import Actor, Role
from domain.common.errors import Unauthenticated
from runtime.identity import new_id
from runtime.settings import Settings
from runtime.temporal import connect
from tests.runtime.conftest import KEY_ONE, KEY_TWO
from tests.runtime.sample import Books, Pay, SampleWorkflow

UI = "http://127.0.0.1:8233"
OPERATOR, MEMBER = "bsk_operator", "bsk_member"
PLAIN = {"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": base64.b64encode(b'{"how":"late"}').decode()}


class Keys:
    """Stands in for the API's check of a key."""

    def __init__(self) -> None:
        self.roles = {OPERATOR: Role.OPERATOR, MEMBER: Role.MEMBER}

    async def authenticate(self, request: Request) -> Actor:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.roles:
            raise Unauthenticated("The key is unknown, revoked or expired.")
        return Actor(principal="ops", role=self.roles[token], key_id="key_1")


@pytest.fixture
def keys() -> Keys:
    return Keys()


def web(keys: Keys, settings: Settings) -> httpx2.AsyncClient:
    app = FastAPI()
    app.include_router(codec_router(settings, keys.authenticate))
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://127.0.0.1:8000")


@pytest.fixture
async def http(keys: Keys) -> AsyncIterator[httpx2.AsyncClient]:
    async with web(keys, Settings(encryption_keys=SecretStr(f"{KEY_ONE},{KEY_TWO}"), temporal_ui_url=UI)) as client:
        yield client


def bearer(key: str = OPERATOR) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}", "X-Namespace": "default"}


def from_ui() -> dict[str, str]:
    """Return the headers that the Temporal UI sends to a codec when it includes credentials."""
    return {"Origin": UI, "Content-Type": "application/json", "X-Namespace": "default"}


async def sealed(http: httpx2.AsyncClient) -> dict[str, object]:
    answer = await http.post("/codec/encode", json={"payloads": [PLAIN]}, headers=bearer())
    assert answer.status_code == 200
    [payload] = answer.json()["payloads"]
    return dict(payload)


async def test_encode_and_decode_are_inverse(http: httpx2.AsyncClient) -> None:
    payload = await sealed(http)
    assert base64.b64decode(payload["metadata"]["encoding"]) == b"binary/encrypted"  # type: ignore[index]
    answer = await http.post("/codec/decode", json={"payloads": [payload, PLAIN]}, headers=bearer())
    assert answer.status_code == 200
    assert answer.json() == {"payloads": [PLAIN, PLAIN]}
    assert answer.headers["cache-control"] == "no-store"


async def test_login_page_gives_the_ui_a_session(http: httpx2.AsyncClient) -> None:
    payload = await sealed(http)
    assert (await http.get("/codec/login")).status_code == 200
    login = await http.post("/codec/login", data={"key": OPERATOR})
    assert login.status_code == 200
    assert "http://127.0.0.1:8000/codec</code>" in login.text
    cookie = SimpleCookie(login.headers["set-cookie"])[COOKIE]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "strict", "/codec")
    assert cookie["max-age"] == str(SESSION_SECONDS)
    assert OPERATOR not in login.text + login.headers["set-cookie"]

    preflight = await http.options(
        "/codec/decode",
        headers={
            "Origin": UI,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type,x-namespace",
        },
    )
    assert preflight.status_code == 204
    answer = await http.post("/codec/decode", content=json.dumps({"payloads": [payload]}), headers=from_ui())
    assert answer.json() == {"payloads": [PLAIN]}
    for response in (preflight, answer):
        assert response.headers["access-control-allow-origin"] == UI
        assert response.headers["access-control-allow-credentials"] == "true"
    assert {"content-type", "x-namespace"} <= set(preflight.headers["access-control-allow-headers"].split(", "))
    assert preflight.headers["access-control-allow-methods"] == "POST"


async def test_session_ends_with_its_key(http: httpx2.AsyncClient, keys: Keys) -> None:
    await http.post("/codec/login", data={"key": OPERATOR})
    del keys.roles[OPERATOR]
    answer = await http.post("/codec/decode", json={"payloads": []}, headers=from_ui())
    assert (answer.status_code, answer.json()["code"]) == (401, "auth.invalid")
    assert answer.headers["access-control-allow-origin"] == UI


async def test_logout_ends_the_session(http: httpx2.AsyncClient) -> None:
    await http.post("/codec/login", data={"key": OPERATOR})
    await http.post("/codec/logout")
    answer = await http.post("/codec/decode", json={"payloads": []}, headers=from_ui())
    assert answer.status_code == 401


def test_session_is_over_after_an_hour_and_only_its_maker_reads_it() -> None:
    session = Session(b"a" * 32)
    cookie = session.seal(OPERATOR, now=1000.0)
    assert session.open(cookie, now=1000.0 + SESSION_SECONDS - 1) == OPERATOR
    assert session.open(cookie, now=1000.0 + SESSION_SECONDS) is None
    assert Session(b"b" * 32).open(cookie, now=1000.0) is None
    for forged in ("", "x", "é", cookie[:-4] + "AAA=", base64.b64encode(b"9999999999 bsk_x").decode()):
        assert session.open(forged, now=1000.0) is None


@pytest.mark.parametrize("cookie", ["forged", base64.b64encode(b"\x00" * 60).decode()])
async def test_forged_session_is_refused(http: httpx2.AsyncClient, cookie: str) -> None:
    headers = {**from_ui(), "Cookie": f"{COOKIE}={cookie}"}
    answer = await http.post("/codec/decode", json={"payloads": []}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "auth.invalid")


@pytest.mark.parametrize("origin", [None, "http://127.0.0.1:9999", "http://evil.example", "null"])
async def test_session_is_taken_from_the_ui_alone(http: httpx2.AsyncClient, origin: str | None) -> None:
    await http.post("/codec/login", data={"key": OPERATOR})
    headers = {"Content-Type": "application/json"} | ({"Origin": origin} if origin else {})
    answer = await http.post("/codec/decode", json={"payloads": []}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "auth.forbidden")
    assert "access-control-allow-origin" not in answer.headers
    preflight = await http.options("/codec/decode", headers=headers)
    assert "access-control-allow-origin" not in preflight.headers


@pytest.mark.parametrize(("key", "status"), [(MEMBER, 403), ("bsk_unknown", 401), ("", 401), ("x" * 5000, 413)])
async def test_only_operators_get_a_session(http: httpx2.AsyncClient, key: str, status: int) -> None:
    answer = await http.post("/codec/login", data={"key": key})
    assert answer.status_code == status
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("path", ["/codec/decode", "/codec/encode"])
async def test_without_a_key_or_with_another_role_nothing_is_answered(http: httpx2.AsyncClient, path: str) -> None:
    assert (await http.post(path, json={"payloads": [PLAIN]})).status_code == 401
    assert (await http.post(path, json={"payloads": [PLAIN]}, headers=bearer(MEMBER))).status_code == 403


@pytest.mark.parametrize("body", ["", "[]", "{", '{"payloads": 5}', '{"payloads": [5]}', "[" * 5000, "\xff"])
async def test_bad_body_is_a_problem_document(http: httpx2.AsyncClient, body: str) -> None:
    answer = await http.post("/codec/decode", content=body.encode("latin-1"), headers=bearer())
    assert (answer.status_code, answer.json()["code"]) == (400, "request.invalid")


async def test_namespace_of_another_deployment_is_refused(http: httpx2.AsyncClient) -> None:
    answer = await http.post("/codec/decode", json={"payloads": []}, headers=bearer() | {"X-Namespace": "other"})
    assert (answer.status_code, answer.json()["code"]) == (422, "request.invalid")


async def test_payload_of_an_unknown_key_is_a_problem_that_names_it(http: httpx2.AsyncClient, keys: Keys) -> None:
    payload = await sealed(http)
    async with web(keys, Settings(encryption_keys=SecretStr(KEY_TWO))) as other:
        answer = await other.post("/codec/decode", json={"payloads": [payload]}, headers=bearer())
    assert answer.status_code == 422
    assert "'k1'" in answer.json()["detail"]


async def test_without_encryption_payloads_come_back_as_they_are(keys: Keys) -> None:
    async with web(keys, Settings()) as client:
        for path in ("/codec/decode", "/codec/encode"):
            answer = await client.post(path, json={"payloads": [PLAIN]}, headers=bearer())
            assert answer.json() == {"payloads": [PLAIN]}


@pytest.mark.parametrize("number", [b"4242 4242 4242 4242", rb"4242\t4242\n4242\u00a04242", rb"\u0034\u0032" * 8])
async def test_card_number_is_not_sealed(number: bytes, http: httpx2.AsyncClient) -> None:
    data = base64.b64encode(b'{"reason":"paid by %b"}' % number).decode()
    payload = {"metadata": PLAIN["metadata"], "data": data}
    answer = await http.post("/codec/encode", json={"payloads": [PLAIN, payload]}, headers=bearer())
    assert answer.status_code == 422
    assert answer.json()["code"] == "privacy.card_number"
    # Payloads sealed before can still be read.
    assert (await http.post("/codec/decode", json={"payloads": [payload]}, headers=bearer())).status_code == 200


@pytest.mark.parametrize("metadata", [{"note": b"4242424242424242"}, {"4242 4242 4242 4242": b""}])
async def test_card_number_beside_a_payload_is_not_sealed(metadata: dict[str, bytes], http: httpx2.AsyncClient) -> None:
    beside = {name: base64.b64encode(value).decode() for name, value in metadata.items()}
    payload = {**PLAIN, "metadata": {"encoding": "anNvbi9wbGFpbg==", **beside}}
    answer = await http.post("/codec/encode", json={"payloads": [payload]}, headers=bearer())
    assert answer.status_code == 422
    assert answer.json()["code"] == "privacy.card_number"


def test_loopback_has_two_names() -> None:
    assert ui_origins("http://127.0.0.1:8233/") == {"http://127.0.0.1:8233", "http://localhost:8233"}
    assert ui_origins("https://temporal.example.com/x") == {"https://temporal.example.com"}


@pytest.mark.temporal
async def test_codec_opens_what_a_real_history_holds(http: httpx2.AsyncClient, settings: Settings) -> None:
    client = await connect(settings.model_copy(update={"encryption_keys": SecretStr(KEY_ONE)}))
    plain = await Client.connect(settings.temporal_address)
    queue = new_id("queue")
    async with Worker(client, task_queue=queue, workflows=[SampleWorkflow], activities=[Books().post]):
        handle = await client.start_workflow(SampleWorkflow.run, Pay(how="x"), id=new_id("run"), task_queue=queue)
        await handle.execute_update(SampleWorkflow.pay, Pay(how="well", amount_minor=9))
        await handle.signal(SampleWorkflow.finish)
        await handle.result()
    stored = Payloads()
    async for event in plain.get_workflow_handle(handle.id).fetch_history_events():
        stored.payloads.extend(event.workflow_execution_started_event_attributes.input.payloads)
        stored.payloads.extend(event.workflow_execution_update_completed_event_attributes.outcome.success.payloads)
    # The UI gets histories in the same JSON form from its own server and passes payloads on as they are.
    answer = await http.post("/codec/decode", json=MessageToDict(stored), headers=bearer())
    opened = [json.loads(base64.b64decode(payload["data"])) for payload in answer.json()["payloads"]]
    assert opened == [{"how": "x", "amount_minor": 0}, {"text": "posted 9"}]


@pytest.fixture
def served(keys: Keys) -> Iterator[str]:
    """The endpoints on a port, for clients that are no Python."""
    app = FastAPI()
    app.include_router(codec_router(Settings(encryption_keys=SecretStr(KEY_ONE)), keys.authenticate))
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws="none", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}/codec"
    server.should_exit = True
    thread.join()


@pytest.mark.temporal
async def test_temporal_command_line_reads_through_the_codec(settings: Settings, served: str) -> None:
    client = await connect(settings.model_copy(update={"encryption_keys": SecretStr(KEY_ONE)}))
    handle = await client.start_workflow(
        SampleWorkflow.run, Pay(how="told-in-secret"), id=new_id("run"), task_queue=new_id("queue")
    )
    show = [find_temporal(), "workflow", "show", "--address", settings.temporal_address, "--output", "json"]
    show += ["--workflow-id", handle.id]
    codec = ["--codec-endpoint", served, "--codec-auth", f"Bearer {OPERATOR}"]
    seen = []
    for arguments in (show, [*show, *codec]):
        process = await asyncio.create_subprocess_exec(*arguments, stdout=-1, stderr=-1)
        out, err = await process.communicate()
        assert process.returncode == 0, err.decode()
        [payload] = json.loads(out)["events"][0]["workflowExecutionStartedEventAttributes"]["input"]["payloads"]
        seen.append(base64.b64decode(payload["data"]))
    await handle.terminate("seen")
    assert b"told-in-secret" not in seen[0]
    assert json.loads(seen[1]) == {"how": "told-in-secret", "amount_minor": 0}
