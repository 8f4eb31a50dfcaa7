"""Turns for what costs a lot and is asked for by tenants: a few at a time for each of them, and a few at a time of all.

Who asks for more waits in the order of arrival; a line that is full, or too slow, refuses.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from domain.common.errors import RateLimited

#: How many of one tenant wait, and for how long.
MOST_WAITING = 16
PATIENCE = timedelta(seconds=10)


@dataclass(slots=True)
class _Queue:
    turns: asyncio.Semaphore
    #: Those that wait and those that have their turn.
    number: int = 0


class Turns:
    def __init__(
        self, what: str, *, each: int, overall: int, most_waiting: int = MOST_WAITING, patience: timedelta = PATIENCE
    ) -> None:
        """Take what is counted, in the plural, and how much of it is done at a time: of one tenant, and of all.

        `overall` leaves room for work that is not counted here. With `most_waiting` 0 nobody waits, for no tenant.
        """
        self._what, self._each, self._most_waiting, self._patience = what, each, most_waiting, patience
        self._overall = asyncio.Semaphore(overall)
        self._lines: dict[str, _Queue] = {}

    @asynccontextmanager
    async def turn(self, whose: str | None) -> AsyncIterator[None]:
        """Wait for a turn of a tenant, None for the platform, and keep it for as long as the block runs.

        Raises:
            RateLimited: too many of its turns are taken and waited for, or none became free in time.
        """
        name = whose or "platform"
        line = self._lines.setdefault(name, _Queue(asyncio.Semaphore(self._each)))
        is_full = line.number >= self._each + self._most_waiting
        if is_full or (not self._most_waiting and self._overall.locked()):
            raise self._refusal()
        line.number += 1
        try:
            # A turn of all is taken last: who waits for its own does not keep others from theirs.
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
