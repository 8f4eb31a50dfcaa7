"""Work that a request starts and does not wait for. It can be lost: its callers have a second way.

The bounds are there for a burst: a thousand webhooks at once begin a thousand workflows, a few at a time.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger("bursar.api")

#: How much runs at once, and how much may wait for its turn.
AT_ONCE = 16
MOST_WAITING = 20_000
#: How long the end of the process waits for what has been begun.
CLOSE_SECONDS = 10.0


class Background:
    """Runs what it is given, soon."""

    def __init__(self, *, at_once: int = AT_ONCE, most_waiting: int = MOST_WAITING) -> None:
        self._slots = asyncio.Semaphore(at_once)
        self._most_waiting = most_waiting
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, what: str, work: Callable[[], Awaitable[object]]) -> bool:
        """Run the work soon, or say that too much waits already. What it raises is logged with `what`, never raised."""
        if len(self._tasks) >= self._most_waiting:
            log.warning("background.full", work=what)
            return False
        task = asyncio.create_task(self._run(what, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def idle(self) -> None:
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def close(self) -> None:
        """Wait a while for what was begun, and give the rest up."""
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await asyncio.shield(self.idle())
        except TimeoutError:
            log.warning("background.given_up", count=len(self._tasks))
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, what: str, work: Callable[[], Awaitable[object]]) -> None:
        async with self._slots:
            try:
                await work()
            except Exception as error:
                log.warning("background.failed", work=what, error=f"{type(error).__name__}: {error}"[:300])
