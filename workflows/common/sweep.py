"""The base of sweeps: they read page by page what may have lost its run, and start the missing runs."""

from collections.abc import Awaitable, Callable

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.common.sweeps import Sweeps
    from contracts.common.queues import regular_activity
    from contracts.common.sweeps import SweepPage, SweepProgress, Swept
    from workflows.common.batch import through_pages


async def sweep_pages(
    method: Callable[[Sweeps, SweepPage], Awaitable[Swept]], progress: SweepProgress, summary: str
) -> SweepProgress:
    """Read every page of what may have lost its run; an open run costs no more than the read."""
    return await through_pages(
        progress, lambda at: workflow.execute_activity_method(method, at.page, **regular_activity(summary))
    )
