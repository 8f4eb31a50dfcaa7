"""Checks of a list that has rows, for the tests that made them."""

import asyncio
import contextlib
import csv
import io
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI

from api.auth import KeyEnded
from domain.common.cells import cell_text
from tests.api.conftest import Caller, good


async def check_range(caller: Caller, path: str, at: str, *, data: str = "data") -> None:
    """Check that times narrow a list, and that its file holds what is narrowed to."""
    rows = good(await caller.get(path))[data]
    middle = rows[len(rows) // 2][at]

    def follows(row: dict[str, str]) -> bool:
        return datetime.fromisoformat(row[at]) >= datetime.fromisoformat(middle)

    for end, expected in (("from", filter(follows, rows)), ("to", (row for row in rows if not follows(row)))):
        asked, narrowed = f"{path}{'&' if '?' in path else '?'}{end}={quote(middle)}", list(expected)
        assert good(await caller.get(asked))[data] == narrowed
        answer = await caller.get(asked, headers={"Accept": "text/csv"})
        found = list(csv.DictReader(io.StringIO(answer.text)))
        assert found == [{name: cell_text(value) for name, value in row.items()} for row in narrowed]


async def file_of(app: FastAPI, path: str, token: str, during: Callable[[], Awaitable[object]]) -> str:
    """Return what a client receives of a CSV file, and do something once it has the first rows of it."""
    parts: list[bytes] = []

    asked = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> dict[str, Any]:
        return next(asked, None) or await asyncio.Future()

    async def send(message: MutableMapping[str, Any]) -> None:
        parts.append(message.get("body", b""))
        if len([part for part in parts if part]) == 2:
            await during()

    plain, _, query = path.partition("?")
    headers = {"accept": "text/csv", "authorization": f"Bearer {token}"}
    scope = {
        "type": "http",
        "method": "GET",
        "path": f"/api/v1{plain}",
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "app": app,
    }
    with contextlib.suppress(KeyEnded):
        await app(scope, receive, send)
    return b"".join(parts).decode()
