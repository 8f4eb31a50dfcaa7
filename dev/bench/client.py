"""A small HTTP/1.1 client for load, so that what is measured is the server and not a client library."""

import asyncio
import json
from typing import Any


class Connection:
    """A keep-alive connection that sends one request at a time."""

    def __init__(self, host: str, port: int) -> None:
        """Name the server; connecting comes with the first request."""
        self._host, self._port = host, port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, request: bytes) -> tuple[int, bytes]:
        """Send a whole request and return status and body."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port)
        reader, writer = self._streams
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        at = head.index(b"content-length:") + 15
        body = await reader.readexactly(int(head[at : head.index(b"\r", at)]))
        return int(head[9:12]), body

    async def post(self, path: str, key: str, idempotency_key: str, body: dict[str, object]) -> dict[str, Any]:
        """Post JSON and insist on success."""
        content = json.dumps(body).encode()
        lines = (
            f"POST {path} HTTP/1.1",
            f"Host: {self._host}:{self._port}",
            f"Authorization: Bearer {key}",
            f"Idempotency-Key: {idempotency_key}",
            "Content-Type: application/json",
            f"Content-Length: {len(content)}",
        )
        status, answer = await self.send("\r\n".join((*lines, "", "")).encode() + content)
        if status not in (200, 201):
            raise RuntimeError(f"POST {path}: {status} {answer.decode()[:500]}")
        found: dict[str, Any] = json.loads(answer)
        return found

    def close(self) -> None:
        """Close the connection."""
        if self._streams is not None:
            self._streams[1].close()
