"""The runtime of the asynchronous client. `bursar._threads` is its counterpart."""

import asyncio
import contextlib
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, TypeAlias

import httpx2

HTTPClient: TypeAlias = httpx2.AsyncClient
Transport: TypeAlias = httpx2.AsyncBaseTransport
Stream: TypeAlias = AsyncGenerator[Any, None]


def is_stream(function: Callable[..., Any]) -> bool:
    """Say whether a function makes a stream."""
    return inspect.isasyncgenfunction(function)


def is_function(function: Callable[..., Any]) -> bool:
    """Say whether a function can be wrapped by this client."""
    return inspect.iscoroutinefunction(function)


async def sleep(seconds: float) -> None:
    """Wait."""
    await asyncio.sleep(seconds)


class Keeper:
    """Background task that runs periodically, or when woken."""

    def __init__(self, work: Callable[[], Awaitable[float]], seconds: float) -> None:
        """Say what is done, which returns the seconds until the next time, and when first."""
        self._work = work
        self._seconds = seconds
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run())

    def wake(self) -> None:
        """Wake the task."""
        self._woken.set()

    async def stop(self) -> None:
        """End, after what is being done."""
        if self._task is not None:
            self._stopping = True
            self._woken.set()
            await self._task

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), self._seconds)
            self._woken.clear()
            if self._stopping:
                return
            self._seconds = await self._work()
