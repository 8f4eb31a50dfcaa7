"""What uvicorn leaves unbounded before a request reaches the app: how long the head of a request is, and how slow."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: How much of a head (request line and headers) is read, give or take one slice.
MAX_HEAD_BYTES = 65_536
#: How long a head may take, from the connection or the first byte after the last answer.
HEAD_SECONDS = 20.0
_SLICE = 16_384


class BoundedProtocol(HttpToolsProtocol):
    """Closes a connection whose next head gets too long or takes too long; see `MAX_HEAD_BYTES`, `HEAD_SECONDS`."""

    head_seconds = HEAD_SECONDS

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Take what uvicorn gives its protocols."""
        super().__init__(*arguments, **named)
        self._head_bytes = 0
        self._in_head = True
        self._head_timer: asyncio.TimerHandle | None = None

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
        """Stop counting; bodies are bounded by the app."""
        self._in_head = False
        self._stop_timer()
        super().on_headers_complete()

    def _expect_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.head_seconds, self._give_up)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            self.transport.close()
