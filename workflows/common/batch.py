"""Batches: all items of a kind, page by page, each exactly once for the batch's key.

The key, a date or a period, is part of the workflow's id, so a second start with it does nothing. The effects of an
item are keyed by the batch and the item, so a batch that was terminated and is started again repeats nothing. The input
holds the cursor, so a batch of any length can continue as new.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from typing import Any, Protocol, Self, TypeVar

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts.common.batch import DuePage, PageProgress
    from contracts.common.queues import local_activity, regular_activity

T = TypeVar("T")
Done = TypeVar("Done")
DoneIn = TypeVar("DoneIn", contravariant=True)


class Progress(Protocol[DoneIn]):
    """The cursor and the counts of a batch: the input of its runs."""

    def plus(self, done: DoneIn, /) -> Self:
        """Return the input after a page: the next cursor, and the counts so far."""

    def is_last(self, done: DoneIn, /) -> bool:
        """Return whether no page follows this one."""


P = TypeVar("P", bound=Progress[Any])
H = TypeVar("H", bound=PageProgress)
#: A class of activities, and the message that one of its methods takes.
A = TypeVar("A")
M = TypeVar("M")


async def through_pages(progress: P, do: Callable[[P], Awaitable[Done]]) -> P:
    """Do the remaining pages, and return the final counts.

    The run continues as new when the server suggests it. It does so between two pages, when nothing is in flight, so
    nothing is done twice or skipped.

    Args:
        progress: the run's input.
        do: does a page, and returns its result.
    """
    while True:
        done = await do(progress)
        last, progress = progress.is_last(done), progress.plus(done)
        if last:
            return progress
        if workflow.info().is_continue_as_new_suggested():
            workflow.continue_as_new(progress)


async def through_transactions(
    progress: P,
    method: Callable[[A, M], Awaitable[Done]],
    message: Callable[[P], M],
    summary: Callable[[P], str],
    *,
    within: timedelta = timedelta(seconds=30),
) -> P:
    """Do the remaining pages, each in one local activity that is one transaction.

    Args:
        progress: the run's input.
        method: the activity that does a page.
        message: makes the activity's message from the batch's progress.
        summary: makes the summary that the Temporal UI shows.
        within: the time limit of one attempt.
    """

    async def page(at: P) -> Done:
        options = local_activity(summary(at), timeout=within)
        return await workflow.execute_local_activity_method(method, message(at), **options)

    return await through_pages(progress, page)


async def through_activities(
    progress: H,
    method: Callable[[A, DuePage], Awaitable[Done]],
    summary: Callable[[H], str],
    details: Callable[[H], str],
) -> H:
    """Do the remaining pages, each in one activity that handles its items one by one; the run's details follow.

    Args:
        progress: the run's input.
        method: the activity that does a page.
        summary: makes the summary that the Temporal UI shows.
        details: renders the progress for operators.
    """

    async def page(at: H) -> Done:
        workflow.set_current_details(details(at))
        options = regular_activity(summary(at), timeout=timedelta(minutes=10))
        return await workflow.execute_activity_method(method, at.page, **options)

    done = await through_pages(progress, page)
    workflow.set_current_details(details(done))
    return done


async def window(children: Iterable[Callable[[], Awaitable[T]]], *, at_once: int) -> list[T | BaseException]:
    """Run the children of a page in order, a limited number at once; when one ends, the next starts.

    The next page waits for the slowest child of this one: a cursor that moved on earlier would skip the children in
    flight when the run continues as new.

    Returns the result of each child, or its exception. A failed child does not stop the others.
    """
    free = asyncio.Semaphore(at_once)

    async def run(child: Callable[[], Awaitable[T]]) -> T:
        async with free:
            return await child()

    return await asyncio.gather(*(run(child) for child in children), return_exceptions=True)
