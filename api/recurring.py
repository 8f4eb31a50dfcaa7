"""The base of what a web process does for as long as it serves."""

import asyncio
from abc import ABC, abstractmethod


class Recurring(ABC):
    """One task, from `start` to `close`. What it does never raises: a failure is logged, and the next round follows."""

    _task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, in the running event loop."""
        self._task = asyncio.create_task(self._forever())

    async def close(self) -> None:
        """End, in the middle of a round as well."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @abstractmethod
    async def _forever(self) -> None:
        """Do the work, round after round."""
