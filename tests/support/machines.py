"""Base of state machines over the books: their event loop, and draws from created objects."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from threading import Thread
from typing import Any, TypeVar

from hypothesis import HealthCheck, seed, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from tests import lanes
from tests.support.books import Books, open_books
from tests.support.seeds import MACHINES_SEED

#: Which of what a machine has made so far. How much that is depends on the order the database chose among clients at
#: once, and Hypothesis must see the same draws for the same choices: so a rule of such a machine draws a number, and
#: neither draws from the model nor waits for a precondition on it.
PICKS = st.integers(0, 10_000)
T = TypeVar("T")


def picked(made: Sequence[T], pick: int) -> T:
    """One of what was made, which must not be nothing."""
    return made[pick % len(made)]


class OverBooks(RuleBasedStateMachine):
    """A machine whose rules act on real books, which are proved when an example ends."""

    books: Books
    loop: asyncio.AbstractEventLoop

    def wait(self, work: Awaitable[T]) -> T:
        return _wait(work, self.loop)

    def teardown(self) -> None:
        self.wait(self.books.assert_proven())


def run_machine(
    machine: type[OverBooks],
    url: str,
    *,
    clients: int,
    examples: int,
    steps: int,
    prepare: Callable[[Books], Awaitable[Any]] | None = None,
) -> None:
    """Run a machine on the books at a URL with a number of clients; Hypothesis calls its rules from this thread.

    Tests that do so are marked `draws`.
    """
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, daemon=True)
    thread.start()
    stack = AsyncExitStack()
    try:
        books = _wait(stack.enter_async_context(open_books(url, clients=clients)), loop)
        if prepare is not None:
            _wait(prepare(books), loop)
        run_state_machine_as_test(
            seed(MACHINES_SEED)(type("BoundMachine", (machine,), {"books": books, "loop": loop})),
            settings=settings(
                max_examples=lanes.examples(examples),
                stateful_step_count=steps,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
        _wait(stack.aclose(), loop)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _wait(work: Awaitable[T], loop: asyncio.AbstractEventLoop) -> T:
    async def run() -> T:
        return await work

    return asyncio.run_coroutine_threadsafe(run(), loop).result()
