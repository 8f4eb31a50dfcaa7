"""A page of a batch, in which an error of one item stops no other."""

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
    """Do something for each item, with a heartbeat after it, and return what came of each that did not fail.

    Args:
        items: the page.
        do: is called for each, and has transactions of its own.
        failed: is called with an item that failed and its error, from where the error is handled: it logs, and alerts
            where an operator can do something about it.
        final: errors that would be the same for all items. They end the page.
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
