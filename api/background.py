"""Background tasks of requests. They can be lost, so callers need a fallback.

The limits are for bursts: a thousand concurrent webhooks start a thousand workflows, a few at a time.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger("bursar.api")

#: Maximum numbers of running and of waiting tasks.
AT_ONCE = 16
MOST_WAITING = 20_000
#: Time limit for running tasks at the end of the process.
CLOSE_SECONDS = 10.0


class Background:
    """Runs tasks in the background."""

    def __init__(self, *, at_once: int = AT_ONCE, most_waiting: int = MOST_WAITING) -> None:
        self._slots = asyncio.Semaphore(at_once)
        self._most_waiting = most_waiting
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, what: str, work: Callable[[], Awaitable[object]]) -> bool:
        """Run the task soon; False if too many wait. Its exceptions are logged with `what`, never raised."""
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
        """Wait for running tasks up to the time limit, and cancel the rest."""
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
