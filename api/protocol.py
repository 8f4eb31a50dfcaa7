"""What uvicorn leaves unbounded of a request: how long its head is, and how slowly head and body come.

Webhooks are read before it is known who sends them, so nobody may hold a connection for long by sending little.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: How much of a head (request line and headers) is read, give or take one slice.
MAX_HEAD_BYTES = 65_536
#: How long a head may take, from the connection or the first byte after the last answer.
HEAD_SECONDS = 20.0
#: How long the body may take after its head.
BODY_SECONDS = 30.0
_SLICE = 16_384


class BoundedProtocol(HttpToolsProtocol):
    """Closes a connection whose head gets too long, or whose head or body takes too long; see the limits above."""

    head_seconds = HEAD_SECONDS
    body_seconds = BODY_SECONDS

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Take what uvicorn gives its protocols."""
        super().__init__(*arguments, **named)
        self._head_bytes = 0
        self._in_head = True
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Pass the data on in slices, so that a long head is met while it is read and not after it."""
        if self.cycle is None or self.cycle.response_complete:
            # Blank lines before a request are no message yet, and would hold the connection open.
            self._expect_head()
        for start in range(0, len(data), _SLICE):
            if self.transport.is_closing():
                return
            part = data[start : start + _SLICE]
            self._head_bytes += len(part)
            super().data_received(part)
            if self._in_head and self._head_bytes > MAX_HEAD_BYTES:
                self.transport.close()

    def on_message_begin(self) -> None:
        """Count from here: what came before belongs to the last request."""
        self._in_head = True
        self._head_bytes = 0
        self._expect_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Stop counting, for the app bounds the length of bodies, and begin to wait for the body."""
        self._in_head = False
        self._stop_timer()
        self._timer = self.loop.call_later(self.body_seconds, self._give_up)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Wait no longer: the answer has its own time."""
        self._stop_timer()
        super().on_message_complete()

    def _expect_head(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self.head_seconds, self._give_up)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        if not self.transport.is_closing():
            self.transport.close()
