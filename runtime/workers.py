"""Workers of one process, which start and end together."""

import asyncio
from types import TracebackType
from typing import Self

from temporalio.worker import Worker


class Workers:
    """Runs several workers, each on its own task queue. If one fails, all end, and `run` raises."""

    def __init__(self, *workers: Worker) -> None:
        self._workers = workers

    async def run(self) -> None:
        """Run until `shutdown`, or raise the error of a failed worker."""
        async with asyncio.TaskGroup() as running:
            for worker in self._workers:
                running.create_task(worker.run())

    async def shutdown(self) -> None:
        """Shut down all workers concurrently, and wait for them."""
        await asyncio.gather(*(worker.shutdown() for worker in self._workers))

    async def __aenter__(self) -> Self:
        """Start all; a failure cancels the block and is raised at its end."""
        for worker in self._workers:
            await worker.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ending = (worker.__aexit__(kind, error, trace) for worker in self._workers)
        for failed in await asyncio.gather(*ending, return_exceptions=True):
            if failed is not None:
                raise failed
