"""What sweeps have in common: they go page by page through what may have lost its run, and start what is not there."""

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

#: The gate of sweeps that started runs as their children, up to a bound, and from the first one each time.
BY_PAGES = "sweeps-start-runs-by-pages"

Item = TypeVar("Item")
ItemCo = TypeVar("ItemCo", covariant=True)
Place = TypeVar("Place")
PlaceCo = TypeVar("PlaceCo", covariant=True)


class Page(Protocol[ItemCo, PlaceCo]):
    """What may have lost its run, in order, and after which place the next page begins."""

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
    """Return how many may have lost their run, and how many of them had and got one; a run that lives is left alone.

    Args:
        read: reads a page of those after a place.
        start: starts the run of one.
        after: where the first page begins.
        page: how many `read` asks for; a page with fewer is the last.
        most: after how many no page is read any more.
        at_once: start the runs of a page together, not one after the other.
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
    """Go through all that may have lost its run, page by page to the last; what lives costs nothing but the look."""
    return await through_pages(
        progress, lambda at: workflow.execute_activity_method(method, at.page, **regular_activity(summary))
    )


async def start_run(run: Run) -> None:
    """Start the run of an entity, which goes on when the sweep has ended.

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
