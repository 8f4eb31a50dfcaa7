"""Requests with a secret go to judged addresses over verified connections, and bring nothing of it back."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpcore2
import pytest

from domain.secrets.secret_use.placing import PlacedRequest, Placement, RequestPart, place_secret
from domain.secrets.secret_use.request import read_request
from providers.judged import MAX_INFORMATIONAL, JudgedConnections, Receivers
from providers.secrets.caller import CallFailed, ScrubbedAnswer, SecretCaller
from tests.support.receivers import (
    NAME,
    PUBLIC,
    Detour,
    Received,
    Reply as Answering,
    answers,
    babbles,
    drips,
    drops,
    floods,
    hangs,
    names,
    receiving,
    serving,
)
from tests.support.spellings import hidden_in, spellings

SECRET = "sk-live_4eC39/Hqly+WDarjtT1zdp7dc"


def with_secret(url: str, method: str = "POST", body: str | None = '{"model": "m"}') -> PlacedRequest:
    request = read_request(method, url, {"x-a": "1"}, body, local=True)
    return place_secret(request, Placement(part=RequestPart.HEADER, name="Authorization", prefix="Bearer "), SECRET)


async def called(reply: Answering, *, seconds: float = 60, **more: Any) -> ScrubbedAnswer:
    async with receiving(reply) as receiver:
        return await SecretCaller(Receivers(local=True), timeout=timedelta(seconds=seconds), **more).call(
            with_secret(receiver.url)
        )


async def failed(reply: Answering, **more: Any) -> tuple[str, bool]:
    with pytest.raises(CallFailed) as refused:
        await called(reply, **more)
    assert refused.value.__cause__ is None
    assert SECRET not in repr(refused.value)
    return refused.value.reason, refused.value.was_sent


async def echoes(request: Received, writer: asyncio.StreamWriter) -> None:
    """Repeat the secret in every form, in headers and in a chunked body whose chunks divide each form."""
    secret = request.headers["authorization"].removeprefix("Bearer ")
    body = b"\n\n".join(spellings(secret).values())
    basic = base64.b64encode(f"user:{secret}".encode()).decode()
    writer.write(
        f"HTTP/1.1 200 {secret}\r\nx-echo: {secret}\r\nx-basic: {basic}\r\n"
        "connection: close\r\ntransfer-encoding: chunked\r\n\r\n".encode()
    )
    for at in range(0, len(body), 7):
        part = body[at : at + 7]
        writer.write(b"%x\r\n%b\r\n" % (len(part), part))
        await writer.drain()
    writer.write(b"0\r\n\r\n")


async def test_a_request_is_sent_once_as_it_was_placed():
    async with receiving(answers(201, b'{"ok": true}', x_request="7")) as receiver:
        reply = await SecretCaller(Receivers(local=True)).call(with_secret(receiver.url + "?q=1"))
        [request] = receiver.received
    assert request.line == "POST /in?q=1 HTTP/1.1"
    assert request.body == b'{"model": "m"}'
    assert request.headers["authorization"] == f"Bearer {SECRET}"
    assert (request.headers["x-a"], request.headers["accept-encoding"]) == ("1", "identity")
    assert reply == ScrubbedAnswer(status=201, headers=(("x-request", "7"),), body=b'{"ok": true}', is_scrubbed=False)


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
async def test_a_request_without_a_body_sends_none(method: str):
    async with receiving(answers(204)) as receiver:
        await SecretCaller(Receivers(local=True)).call(with_secret(receiver.url, method, None))
        assert "content-length" not in receiver.received[0].headers


async def test_an_answer_repeats_nothing_of_the_secret_in_any_form():
    reply = await called(echoes)
    assert reply.is_scrubbed
    shown = b"\n".join((repr(reply.headers).encode(), reply.body))
    assert hidden_in(SECRET, shown) == []
    assert dict(reply.headers)["x-echo"] == "[secret]"


async def test_a_redirect_is_returned_and_not_followed():
    async with receiving() as inside:
        reply = await called(answers(302, location=inside.url))
        assert (reply.status, dict(reply.headers)["location"], inside.connections) == (302, inside.url, 0)


async def test_an_answer_that_is_packed_is_not_returned():
    assert await failed(answers(200, b"\x1f\x8b", content_encoding="gzip")) == ("encoded", True)


async def test_an_answer_beyond_the_limit_is_not_returned():
    assert await failed(floods) == ("too_large", True)
    assert await failed(answers(200, b"x" * 101), max_answer_bytes=100) == ("too_large", True)
    assert len((await called(answers(200, b"x" * 100), max_answer_bytes=100)).body) == 100


@pytest.mark.parametrize("reply", [hangs, drips])
async def test_an_answer_that_does_not_end_in_time_is_not_known(reply: Answering):
    assert await failed(reply, seconds=0.3) == ("timeout", True)


@pytest.mark.parametrize("reply", [drops, babbles])
async def test_an_answer_that_breaks_off_is_not_known(reply: Answering):
    assert await failed(reply) == ("broken", True)


@pytest.mark.parametrize("size", [1, 7, 65_536])
async def test_informational_answers_are_bounded(size: int):
    informs = b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"
    final = b"HTTP/1.1 200 OK\r\nx-a: 1\r\ncontent-length: 19\r\n\r\n\nHTTP/1.1 100 Go on\n"

    def after(count: int) -> Answering:
        async def reply(_: Received, writer: asyncio.StreamWriter) -> None:
            text = informs * count + final
            for at in range(0, len(text), size):
                writer.write(text[at : at + size])
                await writer.drain()

        return reply

    assert (await called(after(MAX_INFORMATIONAL))).status == 200
    assert await failed(after(MAX_INFORMATIONAL + 1)) == ("broken", True)


async def test_a_status_line_within_a_header_does_not_end_the_count_of_informational_answers():
    class Told(httpcore2.AsyncNetworkStream):
        parts: Iterator[bytes] = iter(
            [b"HTTP/1.1 103 Early Hints\r\nx: HTTP/1.1 2", b"\r\n\r\n", *[b"HTTP/1.1 103 A\r\n\r\n"] * 50]
        )

        async def read(self, max_bytes: int, timeout: Any = None) -> bytes:  # noqa: ASYNC109
            return next(self.parts)

        async def write(self, buffer: bytes, timeout: Any = None) -> None:  # noqa: ASYNC109
            pass

    class Dial(httpcore2.AsyncNetworkBackend):
        async def connect_tcp(self, *_args: Any, **_more: Any) -> httpcore2.AsyncNetworkStream:
            return Told()

    stream = await JudgedConnections(Receivers(local=True), Dial(), is_local=True).connect_tcp("127.0.0.1", 80)
    await stream.write(b"GET / HTTP/1.1\r\n\r\n")
    for _ in range(1 + MAX_INFORMATIONAL):
        await stream.read(65_536)
    with pytest.raises(httpcore2.RemoteProtocolError):
        await stream.read(65_536)


async def test_an_answer_that_takes_too_many_steps_to_search_is_not_returned():
    # Each repetition is a place where the secret is found.
    assert await failed(answers(200, SECRET.encode() * 100_000)) == ("search", True)


async def test_answers_of_one_organization_are_searched_one_after_the_other():
    turn = asyncio.Lock()
    async with receiving(answers(200, b"ok")) as receiver:
        async with turn:
            calling = asyncio.create_task(
                SecretCaller(Receivers(local=True)).call(with_secret(receiver.url), turn=turn)
            )
            await receiver.has(1)
            assert not calling.done()
        assert (await calling).body == b"ok"


async def test_nothing_is_sent_where_nobody_listens():
    async with receiving() as receiver:
        pass
    with pytest.raises(CallFailed) as refused:
        await SecretCaller(Receivers(local=True)).call(with_secret(receiver.url))
    assert (refused.value.reason, refused.value.was_sent) == ("unreachable", False)


async def to_name(
    url: str, resolver: Any, certified: tuple[Path, ssl.SSLContext]
) -> tuple[ScrubbedAnswer | CallFailed, list[str], list[Received]]:
    async with receiving(answers(200), tls=serving(certified)) as receiver:
        detour = Detour(receiver.port)
        caller = SecretCaller(Receivers(resolver=resolver), roots=certified[1], dial=detour)
        try:
            done: ScrubbedAnswer | CallFailed = await caller.call(with_secret(url))
        except CallFailed as failure:
            done = failure
        return done, detour.dialed, receiver.received


async def test_a_changing_name_is_connected_at_the_checked_address(certified: Any):
    done, dialed, received = await to_name(f"https://{NAME}/x", names([PUBLIC], ["127.0.0.1"]), certified)
    assert isinstance(done, ScrubbedAnswer)
    assert (dialed, received[0].headers["host"]) == ([PUBLIC], NAME)


async def test_a_wrong_certificate_gets_nothing(certified: Any):
    done, dialed, received = await to_name("https://other.example.com/", names([PUBLIC]), certified)
    assert isinstance(done, CallFailed)
    assert (done.reason, done.was_sent, dialed, received) == ("unreachable", False, [PUBLIC], [])


@pytest.mark.parametrize(
    "inside",
    [
        *("127.0.0.1", "10.0.0.7", "169.254.169.254", "168.63.129.16", "0.0.0.0", "100.64.0.1", "::1", "fc00::1"),
        *("::ffff:169.254.169.254", "64:ff9b::a00:1", "2002:a00:1::"),
    ],
)
async def test_a_name_inside_the_network_is_not_connected_to(inside: str, certified: Any):
    for addresses in ([inside], [PUBLIC, inside]):
        done, dialed, received = await to_name(f"https://{NAME}/", names(addresses), certified)
        assert isinstance(done, CallFailed)
        assert (done.reason, done.was_sent, dialed, received) == ("address", False, [], [])


@pytest.fixture(autouse=True)
async def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    async with receiving() as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        yield
        assert proxy.connections == 0
