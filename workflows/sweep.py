"""The base of sweeps: they read page by page what may have lost its run, and start the missing runs."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from temporalio import workflow
from temporalio.exceptions import WorkflowAlreadyStartedError

with workflow.unsafe.imports_passed_through():
    from activities.sweeps import Sweeps
    from contracts.queues import TASK_TIMEOUT, regular_activity
    from contracts.runs import Run
    from contracts.sweeps import SweepPage, SweepProgress, Swept
    from workflows.batch import through_pages

#: The gate of sweeps that started a bounded number of children, always from the first page.
BY_PAGES = "sweeps-start-runs-by-pages"

Item = TypeVar("Item")
ItemCo = TypeVar("ItemCo", covariant=True)
Place = TypeVar("Place")
PlaceCo = TypeVar("PlaceCo", covariant=True)


class Page(Protocol[ItemCo, PlaceCo]):
    """A page of what may have lost its run, in order, and the cursor of the next page."""

    @property
    def found(self) -> Sequence[ItemCo]: ...  # noqa: D102

    @property
    def last(self) -> PlaceCo: ...  # noqa: D102


async def sweep(
    read: Callable[[Place], Awaitable[Page[Item, Place]]],
    start: Callable[[Item], Awaitable[None]],
    *,
    after: Place,
    page: int,
    most: int,
    at_once: bool = False,
) -> tuple[int, int]:
    """Return how many were due, and how many of them got a run; an open run is left alone.

    Args:
        read: reads the page after a cursor.
        start: starts a run.
        after: the cursor of the first page.
        page: the size of a page; a smaller page is the last.
        most: after how many items no further page is read.
        at_once: start the runs of a page concurrently.
    """
    found = started = 0
    while found < most:
        these = await read(after)
        if at_once:
            started += sum(await asyncio.gather(*(_was_missing(start(item)) for item in these.found)))
        else:
            for item in these.found:
                started += await _was_missing(start(item))
        found += len(these.found)
        if len(these.found) < page:
            break
        after = these.last
    return found, started


async def sweep_pages(
    method: Callable[[Sweeps, SweepPage], Awaitable[Swept]], progress: SweepProgress, summary: str
) -> SweepProgress:
    """Read every page of what may have lost its run; an open run costs no more than the read."""
    return await through_pages(
        progress, lambda at: workflow.execute_activity_method(method, at.page, **regular_activity(summary))
    )


async def start_run(run: Run) -> None:
    """Start the run of an entity as a child that outlives the sweep.

    Raises:
        WorkflowAlreadyStartedError: it has one.
    """
    await workflow.start_child_workflow(
        run.workflow,
        run.start,
        id=run.workflow_id,
        id_reuse_policy=run.reuse,
        parent_close_policy=workflow.ParentClosePolicy.ABANDON,
        static_summary=run.summary,
        search_attributes=run.attributes,
        task_timeout=TASK_TIMEOUT,
    )


async def _was_missing(starting: Awaitable[None]) -> bool:
    try:
        await starting
    except WorkflowAlreadyStartedError:
        return False
    return True
