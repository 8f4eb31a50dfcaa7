"""The stream of changes in the client: every topic first, then changes, across ending connections."""

import json
from collections.abc import AsyncIterator

import httpx2
import pytest

import bursar._calls
from bursar import AsyncBursar, AuthenticationError, Bursar
from bursar._async import _base as asynchronous
from bursar._events import Events
from bursar._sync import _base as synchronous


def event(name: str, **data: object) -> str:
    return f"event: {name}\ndata: {json.dumps(data)}\nretry: 1000\n\n"


def served(*connections: str | dict[str, object] | Exception) -> httpx2.MockTransport:
    """A server whose consecutive connections send the given texts."""
    left = iter(connections)

    def answer(request: httpx2.Request) -> httpx2.Response:
        assert request.url.path == "/api/v1/changes/stream"
        said = next(left)
        if isinstance(said, Exception):
            raise said
        return httpx2.Response(200, text=said) if isinstance(said, str) else httpx2.Response(401, json=said)

    return httpx2.MockTransport(answer)


REFUSED = {"code": "auth.missing", "status": 401, "title": "No", "detail": "No key."}
FIRST = event("marks", credits=1, escrows=2) + ": quiet\n\n" + event("changed", topic="credits")
#: Credits changed once more or not, which nobody can tell; escrows changed while nobody listened; agents did not.
SECOND = event("marks", credits=3, escrows=5) + event("changed", topic="escrows")
TOPICS = ["credits", "escrows", "credits", "credits", "escrows", "escrows"]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(_seconds: float) -> None:
        return None

    monkeypatch.setattr(asynchronous, "sleep", nothing)
    monkeypatch.setattr(synchronous, "sleep", lambda _seconds: None)


async def followed(connections: httpx2.MockTransport) -> list[str]:
    """Follow changes until the key is refused."""
    heard: list[str] = []

    async def follow(client: AsyncBursar) -> None:
        async for topic in client.changes.stream():
            heard.append(topic)

    async with AsyncBursar("bsk_x", base_url="http://bursar.test", transport=connections) as client:
        with pytest.raises(AuthenticationError):
            await follow(client)
    return heard


async def test_topics_come_once_and_when_they_change_over_connections() -> None:
    assert await followed(served(FIRST, httpx2.ConnectError("cut"), SECOND, REFUSED)) == TOPICS


def test_client_for_threads_follows_the_same() -> None:
    heard: list[str] = []

    def follow(client: Bursar) -> None:
        for topic in client.changes.stream():
            heard.append(topic)

    connections = served(FIRST, SECOND, REFUSED)
    client = Bursar("bsk_x", base_url="http://bursar.test", transport=connections)
    with client, pytest.raises(AuthenticationError):
        follow(client)
    assert heard == TOPICS


class Cut(httpx2.AsyncByteStream):
    """A response that lasts ten minutes and is cut off."""

    def __init__(self, text: str, clock: list[float]) -> None:
        self.text, self.clock = text, clock

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self.text.encode()
        self.clock[0] += 600
        raise httpx2.RemoteProtocolError("cut")


async def test_stream_that_is_cut_after_a_long_time_is_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(bursar._calls.Attempts.__init__, "__defaults__", (lambda: clock[0],))

    left = iter([httpx2.Response(200, stream=Cut(FIRST, clock)), httpx2.Response(200, text=SECOND)])
    assert await followed(httpx2.MockTransport(lambda _: next(left, httpx2.Response(401, json=REFUSED)))) == TOPICS


def test_event_is_read_once_it_is_whole() -> None:
    events, text = Events(), event("changed", topic="credits")
    assert [found for piece in text for found in events.read(piece)] == [("changed", {"topic": "credits"})]
