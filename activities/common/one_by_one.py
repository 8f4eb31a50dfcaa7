"""Pages of batches in which one item's error does not stop the others."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from temporalio import activity

T = TypeVar("T")


async def one_by_one(
    items: Sequence[str],
    do: Callable[[str], Awaitable[T]],
    failed: Callable[[str, Exception], Awaitable[None]],
    *,
    final: tuple[type[Exception], ...] = (),
) -> list[T]:
    """Call `do` for each item, with a heartbeat after it, and return the results of those that did not fail.

    Args:
        items: the page.
        do: handles an item, in its own transactions.
        failed: called in the exception handler with the item and its error; logs, and raises an alert if an operator
            can act.
        final: errors that would affect every item; they end the page.
    """
    done = list[T]()
    for item in items:
        try:
            done.append(await do(item))
        except final:
            raise
        except Exception as error:
            await failed(item, error)
        activity.heartbeat(item)
    return done
