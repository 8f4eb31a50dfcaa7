"""Plain asyncpg pool of one role for the statements of every request: one round trip each.

Its statements leave no session state (each is its own transaction, and sets the tenant with `set_config(…, true)`), so
connections return to the pool without a reset, which would be a second round trip.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

import asyncpg

from runtime.database import SESSION_SETTINGS, plain_url

T = TypeVar("T")

CONNECT_SECONDS = 5.0
_DIED = (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.InternalClientError, ConnectionError)


async def _keep(_connection: object) -> None:
    """Do not reset the connection."""


class StatementPool:
    """Pool that is created on first use, so that the API starts while PostgreSQL is down."""

    def __init__(self, url: str, *, size: int, timeout: timedelta) -> None:
        """Take the database URL, the size, and the time limit of a read; nothing connects yet."""
        self._url = plain_url(url)
        self._size = size
        self._timeout = timeout.total_seconds()
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._lock = asyncio.Lock()

    async def get(self) -> "asyncpg.Pool[asyncpg.Record]":
        """Return the pool; raises errors of connecting."""
        if self._pool is None:
            async with self._lock:
                if self._pool is None:
                    self._pool = await asyncpg.create_pool(
                        self._url,
                        min_size=1,
                        max_size=self._size,
                        reset=_keep,
                        server_settings=SESSION_SETTINGS,
                        timeout=CONNECT_SECONDS,
                        command_timeout=self._timeout / 2,
                    )
        return self._pool

    async def read(self, statement: "Callable[[asyncpg.Pool[asyncpg.Record]], Awaitable[T]]") -> T:
        """Run a repeatable statement, with one retry after a dead connection."""
        async with asyncio.timeout(self._timeout):
            pool = await self.get()
            try:
                return await statement(pool)
            except _DIED:
                return await statement(pool)

    async def connect(self) -> "asyncpg.Connection[asyncpg.Record]":
        connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(
            self._url, timeout=CONNECT_SECONDS, command_timeout=self._timeout, server_settings=SESSION_SETTINGS
        )
        return connection

    async def close(self) -> None:
        """Close the pool after a short wait for running statements."""
        if self._pool is not None:
            try:
                await asyncio.wait_for(self._pool.close(), timeout=5)
            except TimeoutError:
                self._pool.terminate()
