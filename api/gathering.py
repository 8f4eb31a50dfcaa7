"""Reads that arrive together share a statement: most of what one costs are its round trip and its transaction."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

#: The most concurrent statements: while PostgreSQL works on one, another is sent, and a slow question delays few.
MAX_STATEMENTS = 2
#: The most questions of one statement.
MAX_QUESTIONS = 32

Q = TypeVar("Q")
A = TypeVar("A")


class BatchedReads(Generic[Q, A]):
    """Answers questions; those that arrive during a statement share the next one.

    A statement begins after all of its questions arrived, so no caller reads an outdated state.
    """

    def __init__(self, read: Callable[[Sequence[Q]], Awaitable[Mapping[Q, A]]]) -> None:
        """Take the read, which answers different questions at once and leaves out what has no answer."""
        self._read = read
        self._waiting: dict[Q, list[asyncio.Future[A | None]]] = {}
        self._working: set[asyncio.Task[None]] = set()

    async def ask(self, question: Q) -> A | None:
        """Return the answer, or None if there is none; raises what the read raised."""
        answer: asyncio.Future[A | None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(question, []).append(answer)
        if len(self._working) < MAX_STATEMENTS:
            # A task of its own: the first caller may leave, and the others go on.
            task = asyncio.create_task(self._work())
            self._working.add(task)
            task.add_done_callback(self._working.discard)
        return await answer

    async def _work(self) -> None:
        while self._waiting:
            group = {question: self._waiting.pop(question) for question in list(self._waiting)[:MAX_QUESTIONS]}
            try:
                answers = await self._read(list(group))
            except Exception as error:
                for _, answer in _still_waiting(group):
                    answer.set_exception(error)
            else:
                for question, answer in _still_waiting(group):
                    answer.set_result(answers.get(question))


def _still_waiting(
    group: Mapping[Q, Sequence[asyncio.Future[A | None]]],
) -> Iterator[tuple[Q, asyncio.Future[A | None]]]:
    for question, waiting in group.items():
        for answer in waiting:
            if not answer.done():
                yield question, answer


class SharedReads:
    """Answers questions that take long; those who ask the same while it is read share the next reading.

    A read begins after all of its callers arrived, so no caller gets an outdated state.
    """

    def __init__(self) -> None:
        self._under_way: dict[Hashable, asyncio.Task[Any]] = {}
        self._next: dict[Hashable, asyncio.Task[Any]] = {}

    async def ask(self, question: Hashable, read: Callable[[], Coroutine[Any, Any, A]]) -> A:
        """Return what the reading returns; raises what it raised.

        Args:
            question: the question; equal for callers that may get the same answer.
            read: answers it.
        """
        reading: asyncio.Task[A] | None = self._next.get(question)
        if reading is None and (before := self._under_way.get(question)) is not None:
            reading = self._next[question] = asyncio.create_task(self._after(before, question, read))
        elif reading is None:
            reading = self._begin(question, asyncio.create_task(read()))
        # The first caller may leave, and the others go on.
        return await asyncio.shield(reading)

    async def _after(
        self, before: asyncio.Task[Any], question: Hashable, read: Callable[[], Coroutine[Any, Any, A]]
    ) -> A:
        await asyncio.wait([before])
        self._begin(question, self._next.pop(question))
        return await read()

    def _begin(self, question: Hashable, reading: asyncio.Task[A]) -> asyncio.Task[A]:
        self._under_way[question] = reading
        reading.add_done_callback(lambda _: self._end(question, reading))
        return reading

    def _end(self, question: Hashable, reading: asyncio.Task[Any]) -> None:
        if self._under_way.get(question) is reading:
            del self._under_way[question]
        if not reading.cancelled():
            reading.exception()  # without a caller left it would never be retrieved
