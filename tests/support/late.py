"""Delay each command of a test's client, with `-p tests.support.late`, by BURSAR_LATE_SECONDS or a second.

These are requests of HTTP clients, and what is started, told and asked at Temporal. A test fails then if it counts on
being quicker than a process or a clock beside it.
"""

import asyncio
import functools
import os
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

import httpx2
from temporalio import activity
from temporalio.client import Client, WorkflowHandle

SECONDS = float(os.environ.get("BURSAR_LATE_SECONDS", "1"))
#: Whether a command was sent late already: what the product does for it, in the same process, is not the test's.
UNDER_WAY = ContextVar("UNDER_WAY", default=False)


def late(method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Return a method of a client that waits before it sends."""

    @functools.wraps(method)
    async def sent(*args: Any, **options: Any) -> Any:
        if UNDER_WAY.get() or activity.in_activity():
            return await method(*args, **options)
        under_way = UNDER_WAY.set(True)
        try:
            await asyncio.sleep(SECONDS)
            return await method(*args, **options)
        finally:
            UNDER_WAY.reset(under_way)

    return sent


def pytest_configure() -> None:
    for kind, names in {
        httpx2.AsyncClient: ("send",),
        Client: ("start_workflow", "start_update_with_start_workflow", "execute_update_with_start_workflow"),
        WorkflowHandle: ("signal", "query", "start_update", "execute_update"),
    }.items():
        for name in names:
            setattr(kind, name, late(getattr(kind, name)))
    send = httpx2.Client.send

    def sent(self: httpx2.Client, *args: Any, **options: Any) -> httpx2.Response:
        time.sleep(SECONDS)
        return send(self, *args, **options)

    httpx2.Client.send = sent  # type: ignore[method-assign]
