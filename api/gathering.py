"""Reads that arrive together share a statement: most of what one costs are its round trip and its transaction."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, TypeVar

#: The most statements under way: while PostgreSQL works on one, another one is sent, and a slow question holds up few.
MAX_STATEMENTS = 2
#: The most questions of one statement.
MAX_QUESTIONS = 32

Q = TypeVar("Q")
A = TypeVar("A")


class Gathering(Generic[Q, A]):
    """Answers questions; those that come while statements are under way share the next one.

    A statement begins after each of its questions came, so nobody reads what was true before they asked.
    """

    def __init__(self, read: Callable[[Sequence[Q]], Awaitable[Mapping[Q, A]]]) -> None:
        """Take the read, which answers different questions at once and leaves out what has no answer."""
        self._read = read
        self._waiting: dict[Q, list[asyncio.Future[A | None]]] = {}
        self._working: set[asyncio.Task[None]] = set()

    async def ask(self, question: Q) -> A | None:
        """Return the answer, or None where there is none; raises what the read raised."""
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
                for answer in (it for waiting in group.values() for it in waiting if not it.done()):
                    answer.set_exception(error)
            else:
                for question, waiting in group.items():
                    for answer in waiting:
                        if not answer.done():
                            answer.set_result(answers.get(question))
