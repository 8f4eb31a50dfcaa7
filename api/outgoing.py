"""Concurrency limits of expensive responses, each counted until the client has read it."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from starlette.responses import Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from domain.common.errors import RateLimited

#: Time limit for a client to read a response, before its connection is closed.
READ_WITHIN = timedelta(minutes=2)
#: Time limit for a client to read the next part of a streamed response.
PART_WITHIN = timedelta(seconds=30)
#: Bytes passed to the server at a time; it accepts more once the client has read most of them.
_PART = 65_536
#: ASGI extension that closes the connection at once (see `server.Protocol`).
CUT = "bursar.cut"


@dataclass(slots=True)
class _Held:
    count: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Slots:
    """Counts concurrent responses of each organization in this process."""

    def __init__(self, most: int, refusal: str) -> None:
        """Take the maximum for each organization, and the text of the refusal."""
        self._most = most
        self._refusal = refusal
        self._held: dict[str, _Held] = {}

    @contextmanager
    def hold(self, org_id: str) -> Iterator[asyncio.Lock]:
        """Hold a slot of an organization; yield a lock for serial work of its holders, such as computing.

        Pass the slot to a `HeldResponse` to hold it until the response is sent.

        Raises:
            RateLimited: all its slots are in use.
        """
        held = self._held.setdefault(org_id, _Held())
        if held.count >= self._most:
            raise RateLimited(self._refusal, extra={"retry_after": 1})
        held.count += 1
        try:
            yield held.turn
        finally:
            held.count -= 1
            if not held.count:
                del self._held[org_id]


@asynccontextmanager
async def _read_in_time(scope: Scope, seconds: float) -> AsyncIterator[None]:
    """Limit the time of sending, and close the connection of a slow client.

    Otherwise the server keeps it until the client has read the response.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        if (cut := scope.get("extensions", {}).get(CUT)) is not None:
            cut()
        raise


class HeldResponse(Response):
    """Response that holds resources until it is sent, and disconnects slow clients."""

    def __init__(
        self,
        content: bytes,
        held: AsyncExitStack,
        *,
        headers: Mapping[str, str] | None = None,
        media_type: str = "application/json",
        read_within: timedelta = READ_WITHIN,
    ) -> None:
        """Take the whole body, the resources to close after sending (`AsyncExitStack.pop_all`), and the time limit."""
        super().__init__(content, headers=headers, media_type=media_type)
        self._held = held
        self._read_within = read_within.total_seconds()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        async with self._held, _read_in_time(scope, self._read_within):
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            for at in range(0, max(len(self.body), 1), _PART):
                part = bytes(self.body[at : at + _PART])
                more = at + _PART < len(self.body)
                await send({"type": "http.response.body", "body": part, "more_body": more})


class HeldStream(StreamingResponse):
    """Streamed response that holds resources until it is sent, and disconnects slow clients."""

    def __init__(
        self,
        content: AsyncIterator[bytes | str] | Iterator[bytes],
        held: AsyncExitStack | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        media_type: str,
        part_within: timedelta = PART_WITHIN,
    ) -> None:
        """Take the parts, the resources to close after the last one, and the time limit of each part."""
        super().__init__(content, headers=headers, media_type=media_type)
        self._held = held or AsyncExitStack()
        self._part_within = part_within.total_seconds()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response; a slow client is treated as a disconnected one."""

        async def in_time(message: Message) -> None:
            async with _read_in_time(scope, self._part_within):
                await send(message)

        async with self._held:
            await super().__call__(scope, receive, in_time)
