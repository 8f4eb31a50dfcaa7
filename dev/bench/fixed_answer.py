"""A server that answers every request at once with one charge, so that what is measured is its clients.

`python -m dev.bench.fixed_answer PORT` runs until it is ended.
"""

import asyncio
import sys
from typing import cast

BODY = (
    b'{"id":"spd_01kar6h2d8e4wvq3r5s7t9x1zy","status":"charged","action":"api_call","quantity":1,"amount":"1.00",'
    b'"currency":"CREDIT","agent_id":null,"department_id":null,"project_id":null,"run_id":null,'
    b'"created_at":"2026-11-22T10:00:00.123456Z","available":"99.00"}'
)
ANSWER = (
    b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nX-Request-Id: req_1\r\n"
    b'RateLimit-Policy: "key";q=100;w=60\r\nRateLimit: "key";r=99;t=60\r\nContent-Length: %d\r\n\r\n' % len(BODY)
) + BODY


class Answering(asyncio.Protocol):
    """A connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep where answers go."""
        self._transport, self._unread = cast(asyncio.Transport, transport), b""

    def data_received(self, data: bytes) -> None:
        """Answer each whole request."""
        self._unread += data
        while (end := self._unread.find(b"\r\n\r\n")) >= 0:
            head = self._unread[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self._unread) < end + 4 + length:
                return
            self._unread = self._unread[end + 4 + length :]
            self._transport.write(ANSWER)


async def serve(port: int) -> None:
    """Answer until the process ends."""
    server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    import uvloop

    uvloop.run(serve(int(sys.argv[1])))
