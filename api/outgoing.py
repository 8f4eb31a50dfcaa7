"""Answers that cost memory or work: an organization has few of them at once, each until its client has read it."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from starlette.responses import Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from domain.common.errors import RateLimited

#: How long a client may take to read an answer before its connection is cut.
READ_WITHIN = timedelta(minutes=2)
#: How long a client may take to read the next part of an answer of any length.
PART_WITHIN = timedelta(seconds=30)
#: How many bytes are given to the server at a time; it takes more once the client has read most of them.
_PART = 65_536
#: The extension of a scope that closes its connection at once (see `server.Protocol`).
CUT = "bursar.cut"


@dataclass(slots=True)
class _Held:
    count: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Slots:
    """Counts what an organization has under way in this process."""

    def __init__(self, most: int, refusal: str) -> None:
        """Take how many there are for each organization, and the sentence that refuses one more."""
        self._most = most
        self._refusal = refusal
        self._held: dict[str, _Held] = {}

    @contextmanager
    def hold(self, org_id: str) -> Iterator[asyncio.Lock]:
        """Hold a slot of an organization; yields the lock for what its holders do one at a time, such as computing.

        Give the slot to an `HeldResponse` for it to last until the answer is out.

        Raises:
            RateLimited: all its slots are held.
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
    """Limit the time of sending, and close the connection of a client that does not read.

    Left to itself the server keeps it until the client has read what is written, which it may never do.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        if (cut := scope.get("extensions", {}).get(CUT)) is not None:
            cut()
        raise


class HeldResponse(Response):
    """An answer that keeps what it holds until it is out, and cuts a client that does not read it."""

    def __init__(
        self,
        content: bytes,
        held: AsyncExitStack,
        *,
        headers: Mapping[str, str] | None = None,
        media_type: str = "application/json",
        read_within: timedelta = READ_WITHIN,
    ) -> None:
        """Take the whole body, what to close after it is sent (`AsyncExitStack.pop_all`), and the time for that."""
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
    """An answer of any length that keeps what it holds until it is out, and cuts a client that stops reading it."""

    def __init__(
        self,
        content: AsyncIterator[bytes | str] | Iterator[bytes],
        held: AsyncExitStack | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        media_type: str,
        part_within: timedelta = PART_WITHIN,
    ) -> None:
        """Take the parts, what to close after the last one, and the time for each to be read."""
        super().__init__(content, headers=headers, media_type=media_type)
        self._held = held or AsyncExitStack()
        self._part_within = part_within.total_seconds()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer; one that is not read ends as one whose client has left."""

        async def in_time(message: Message) -> None:
            async with _read_in_time(scope, self._part_within):
                await send(message)

        async with self._held:
            await super().__call__(scope, receive, in_time)
