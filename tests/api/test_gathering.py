"""Questions that come together share a statement, and each gets its own answer."""

import asyncio
from collections.abc import Sequence
from functools import partial

import pytest

from api.gathering import MAX_QUESTIONS, MAX_STATEMENTS, BatchedReads, SharedReads


class Statements:
    """Holds each statement until the test ends it; values below zero do not exist."""

    def __init__(self) -> None:
        self.sent: list[list[int]] = []
        self.gates: list[asyncio.Event] = []
        self.fails = False

    async def read(self, questions: Sequence[int]) -> dict[int, str]:
        gate = asyncio.Event()
        self.sent.append(list(questions))
        self.gates.append(gate)
        await gate.wait()
        if self.fails:
            raise ConnectionError("gone")
        return {question: f"answer {question}" for question in questions if question >= 0}

    async def begun(self, number: int) -> None:
        for _ in range(100):
            if len(self.sent) >= number:
                return
            await asyncio.sleep(0)
        raise AssertionError("no statement began")

    def end(self) -> None:
        for gate in self.gates:
            gate.set()

    async def end_all(self, asked: Sequence[asyncio.Task[str | None]]) -> None:
        for _ in range(100):
            self.end()
            if all(it.done() for it in asked):
                return
            await asyncio.sleep(0)
        raise AssertionError("some have no answer")


def ask(gathering: BatchedReads[int, str], *questions: int) -> list[asyncio.Task[str | None]]:
    return [asyncio.create_task(gathering.ask(question)) for question in questions]


async def test_callers_during_a_statement_share_the_next_one() -> None:
    statements = Statements()
    gathering = BatchedReads(statements.read)
    first = ask(gathering, *range(MAX_STATEMENTS))
    await statements.begun(1)
    # The first statement took what had come; these wait, the same question once.
    later = ask(gathering, 10, 11, 10, -1)
    for _ in range(10):
        await asyncio.sleep(0)
    under_way = len(statements.sent)
    assert under_way <= MAX_STATEMENTS
    await statements.end_all(first + later)
    assert [await it for it in later] == ["answer 10", "answer 11", "answer 10", None]
    assert sorted(question for sent in statements.sent for question in sent) == [-1, *range(MAX_STATEMENTS), 10, 11]


async def test_no_answer_is_from_a_statement_that_began_before_its_call() -> None:
    statements = Statements()
    gathering = BatchedReads(statements.read)
    (first,) = ask(gathering, 1)
    await statements.begun(1)
    (again,) = ask(gathering, 1)
    statements.gates[0].set()
    assert await first == "answer 1"
    assert not again.done()
    await statements.begun(2)
    statements.end()
    assert await again == "answer 1"


async def test_failed_statement_fails_only_for_its_own_calls() -> None:
    statements = Statements()
    gathering = BatchedReads(statements.read)
    statements.fails = True
    (lost,) = ask(gathering, 1)
    await statements.begun(1)
    statements.end()
    with pytest.raises(ConnectionError):
        await lost
    statements.fails = False
    (found,) = ask(gathering, 1)
    await statements.begun(2)
    statements.end()
    assert await found == "answer 1"


async def test_caller_who_leaves_takes_no_answer_from_others() -> None:
    statements = Statements()
    gathering = BatchedReads(statements.read)
    leaves, stays = ask(gathering, 1, 1)
    await statements.begun(1)
    leaves.cancel()
    await asyncio.sleep(0)
    statements.end()
    assert await stays == "answer 1"


async def test_statement_has_a_maximum_number_of_calls() -> None:
    statements = Statements()
    gathering = BatchedReads(statements.read)
    asked = ask(gathering, *range(3 * MAX_QUESTIONS))
    await statements.end_all(asked)
    assert [await it for it in asked] == [f"answer {number}" for number in range(3 * MAX_QUESTIONS)]
    assert max(len(sent) for sent in statements.sent) == MAX_QUESTIONS


async def test_equal_calls_during_a_reading_share_the_next_one() -> None:
    statements = Statements()
    sharing = SharedReads()

    async def read(question: int) -> str:
        return (await statements.read([question]))[question]

    def asked(*questions: int) -> list[asyncio.Task[str]]:
        return [asyncio.create_task(sharing.ask(it, partial(read, it))) for it in questions]

    first = asked(1)
    await statements.begun(1)
    leaves, *later = asked(1, 1, 2, 1)
    await statements.begun(2)
    assert statements.sent == [[1], [2]]
    leaves.cancel()
    statements.end()
    await statements.begun(3)
    statements.fails = True
    statements.end()
    assert await first[0] == "answer 1"
    with pytest.raises(ConnectionError):
        await later[0]
    with pytest.raises(ConnectionError):
        await later[2]
    assert statements.sent == [[1], [2], [1]]
    statements.fails = False
    (again,) = asked(1)
    await statements.begun(4)
    statements.end()
    assert await again == "answer 1"
