"""Cache invalidation by PostgreSQL's notifications, for example about changed keys and prices.

One connection listens on all channels. Notifications during a disconnection are lost: so every listener invalidates its
whole cache when the connection ends, and again when there is a new one.
"""

import asyncio
import contextlib
from collections.abc import Callable

import structlog

from api.pool import StatementPool
from api.recurring import Recurring

log = structlog.get_logger("bursar.api")

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0


class Announcements(Recurring):
    """Receives notifications between `start` and `close`. Listeners are registered before."""

    def __init__(self, pool: StatementPool) -> None:
        self._pool = pool
        self._channels: dict[str, Callable[[str], None]] = {}
        self._doubts: list[Callable[[], None]] = []
        #: Set while announcements are heard.
        self.listening = asyncio.Event()

    def hear(self, channel: str, changed: Callable[[str], None], *, doubt: Callable[[], None]) -> None:
        """Call `changed` with each payload of a channel, and `doubt` when notifications may have been lost."""
        self._channels[channel] = changed
        self._doubts.append(doubt)

    def _doubt_all(self) -> None:
        for doubt in self._doubts:
            doubt()

    async def _forever(self) -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                await self._listen_once()
            except Exception as exc:
                log.warning("announcements.deaf", error=f"{type(exc).__name__}: {exc}"[:300])
            else:
                pause = FIRST_PAUSE
            finally:
                self.listening.clear()
                self._doubt_all()
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _listen_once(self) -> None:
        connection = await self._pool.connect()
        ended = asyncio.Event()
        try:
            connection.add_termination_listener(lambda _connection: ended.set())
            for channel in self._channels:
                await connection.add_listener(channel, self._heard)
            self._doubt_all()
            self.listening.set()
            await ended.wait()
        finally:
            with contextlib.suppress(Exception):
                await connection.close(timeout=1)

    def _heard(self, _connection: object, _pid: int, channel: str, payload: object) -> None:
        self._channels[channel](str(payload))
