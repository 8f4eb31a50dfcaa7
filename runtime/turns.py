"""Concurrency limits of expensive work, for each tenant and in total.

Excess requests wait in order of arrival; a full or slow queue refuses them.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from domain.common.errors import RateLimited

#: Maximum number of waiting requests of a tenant, and maximum waiting time.
MOST_WAITING = 16
MAX_WAIT = timedelta(seconds=10)


@dataclass(slots=True)
class _Queue:
    turns: asyncio.Semaphore
    #: Waiting and running requests.
    number: int = 0


class ConcurrencyLimiter:
    def __init__(
        self, what: str, *, each: int, overall: int, most_waiting: int = MOST_WAITING, patience: timedelta = MAX_WAIT
    ) -> None:
        """Take the name of the work, in the plural, and the limits of concurrency: of each tenant, and in total.

        `overall` leaves room for other work. With `most_waiting` 0 requests never wait.
        """
        self._what, self._each, self._most_waiting, self._patience = what, each, most_waiting, patience
        self._overall = asyncio.Semaphore(overall)
        self._lines: dict[str, _Queue] = {}

    @asynccontextmanager
    async def turn(self, whose: str | None) -> AsyncIterator[None]:
        """Wait for a turn of a tenant, None for the platform, and hold it during the block.

        Raises:
            RateLimited: too many requests run and wait, or no turn became free in time.
        """
        name = whose or "platform"
        line = self._lines.setdefault(name, _Queue(asyncio.Semaphore(self._each)))
        is_full = line.number >= self._each + self._most_waiting
        if is_full or (not self._most_waiting and self._overall.locked()):
            raise self._refusal()
        line.number += 1
        try:
            # The total limit comes last, so that requests waiting for their tenant's limit do not block others.
            async with self._taken(line.turns), self._taken(self._overall):
                yield
        finally:
            line.number -= 1
            if not line.number:
                del self._lines[name]

    @asynccontextmanager
    async def _taken(self, turns: asyncio.Semaphore) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._patience.total_seconds()):
                await turns.acquire()
        except TimeoutError:
            raise self._refusal() from None
        try:
            yield
        finally:
            turns.release()

    def _refusal(self) -> RateLimited:
        return RateLimited(
            f"Too many {self._what} are under way: {self._each} at a time. Repeat this one soon.",
            extra={"retry_after": 1},
        )
