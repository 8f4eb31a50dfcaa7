"""The baseline of an escrow: a workflow that takes as many updates, each with one empty local activity.

`python -m dev.bench.bare_workflow ADDRESS` runs its worker, a process of its own as the product's is.
"""

import asyncio
import sys
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import Worker

#: Open, fund, deliver, validate.
UPDATES = 4


@activity.defn
async def nothing() -> None:
    """Do nothing."""


@workflow.defn
class BareWorkflow:
    """Takes four updates and ends."""

    def __init__(self) -> None:
        """Begin with none."""
        self.taken = 0

    @workflow.run
    async def run(self) -> int:
        """Wait for the last update."""
        await workflow.wait_condition(lambda: self.taken == UPDATES)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self.taken

    @workflow.update
    async def take(self) -> int:
        """Run the empty activity."""
        await workflow.execute_local_activity(nothing, start_to_close_timeout=timedelta(seconds=10))
        self.taken += 1
        return self.taken


async def main(address: str) -> None:
    """Work until the process is ended."""
    client = await Client.connect(address)
    await Worker(client, task_queue="bare", workflows=[BareWorkflow], activities=[nothing]).run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
