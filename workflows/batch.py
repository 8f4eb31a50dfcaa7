"""A batch: everything of a kind, page by page, each item exactly once for the batch's key.

The key, a date or a period, is part of the workflow's id, so a second start with it does nothing. What an item leaves
behind has a key made of it and of the item, so a batch that was ended and is started again repeats nothing. The place
stands in the input, so a batch of any length goes on in a new run.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from typing import Any, Protocol, Self, TypeVar

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts.queues import local_activity

T = TypeVar("T")
Done = TypeVar("Done")
DoneIn = TypeVar("DoneIn", contravariant=True)


class Progress(Protocol[DoneIn]):
    """Where a batch stands: the input of its runs."""

    def plus(self, done: DoneIn, /) -> Self:
        """Return where it stands after a page: the next place, and what was counted so far."""

    def is_last(self, done: DoneIn, /) -> bool:
        """Tell whether no page follows this one."""


P = TypeVar("P", bound=Progress[Any])
#: A class of activities, and the message that one of its methods takes.
A = TypeVar("A")
M = TypeVar("M")


async def through_pages(progress: P, do: Callable[[P], Awaitable[Done]]) -> P:
    """Do page by page what is left, and return what was counted at the end.

    Where the server suggests it the run continues as new with its place. That is between two pages, when nothing is
    under way, so nothing is done twice or left out.

    Args:
        progress: the run's input.
        do: does a page, and returns what became of it.
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
    """Do page by page what is left, each page by a local activity that is one transaction.

    Args:
        progress: the run's input.
        method: what does a page.
        message: makes what it is asked with from where the batch stands.
        summary: makes what an operator reads beside it.
        within: what one attempt may take at the longest.
    """

    async def page(at: P) -> Done:
        options = local_activity(summary(at), timeout=within)
        return await workflow.execute_local_activity_method(method, message(at), **options)

    return await through_pages(progress, page)


async def window(children: Iterable[Callable[[], Awaitable[T]]], *, at_once: int) -> list[T | BaseException]:
    """Run the children of a page in their order, so many at once; the next begins when one has ended.

    It slides within a page and drains at its end: a place that went on before its page was done would leave out what
    is under way when the run continues as new. A page's slowest child is what the next page waits for.

    Returns what became of each: its result, or the exception that it failed with. One that fails stops no other.
    """
    free = asyncio.Semaphore(at_once)

    async def run(child: Callable[[], Awaitable[T]]) -> T:
        async with free:
            return await child()

    return await asyncio.gather(*(run(child) for child in children), return_exceptions=True)
