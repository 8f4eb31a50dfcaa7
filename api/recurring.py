"""Base of periodic tasks of a web process."""

import asyncio
from abc import ABC, abstractmethod


class Recurring(ABC):
    """Task from `start` to `close`. It must not raise: it logs failures and continues with the next round."""

    _task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, in the running event loop."""
        self._task = asyncio.create_task(self._forever())

    async def close(self) -> None:
        """Cancel the task, also during a round."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @abstractmethod
    async def _forever(self) -> None:
        """Do the work, round after round."""
