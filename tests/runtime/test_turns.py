"""Turns for costly work: a few of one tenant, a few of all, the others in line."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest

from domain.common.errors import RateLimited
from runtime.turns import ConcurrencyLimiter
from tests.support.cases import for_each


def turns(
    each: int = 1, overall: int = 3, most_waiting: int = 2, patience: timedelta = timedelta(minutes=5)
) -> ConcurrencyLimiter:
    return ConcurrencyLimiter("questions", each=each, overall=overall, most_waiting=most_waiting, patience=patience)


class WaitingTasks:
    """Tasks that wait for turns, and keep their turns until the test ends them."""

    def __init__(self, of: ConcurrencyLimiter) -> None:
        self.of, self.began, self._ends = of, list[str](), dict[str, asyncio.Event]()
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def join(self, name: str, org_id: str) -> None:
        self._ends[name] = asyncio.Event()
        self._tasks[name] = asyncio.create_task(self._take(name, org_id))
        await self.settled()

    async def _take(self, name: str, org_id: str) -> None:
        async with self.of.turn(org_id):
            self.began.append(name)
            await self._ends[name].wait()

    async def end(self, *names: str) -> None:
        for name in names:
            self._ends[name].set()
        for name in names:
            await self._tasks.pop(name)
        await self.settled()

    async def leave(self, name: str) -> None:
        self._tasks[name].cancel()
        await self.settled()

    @staticmethod
    async def settled() -> None:
        for _ in range(20):
            await asyncio.sleep(0)


async def test_turns_of_one_organization_are_sequential_and_delay_no_other():
    line = WaitingTasks(turns())
    for name, org_id in (("a1", "org_a"), ("a2", "org_a"), ("a3", "org_a"), ("b1", "org_b")):
        await line.join(name, org_id)
    assert line.began == ["a1", "b1"]
    with pytest.raises(RateLimited) as refused:
        async with line.of.turn("org_a"):
            pass
    assert refused.value.extra == {"retry_after": 1}
    await line.leave("a2")
    await line.end("a1")
    assert line.began == ["a1", "b1", "a3"]
    await line.end("a3", "b1")
    async with line.of.turn("org_a"):
        pass


async def test_turns_of_all_are_limited_and_served_in_order():
    line = WaitingTasks(turns(overall=2))
    for name in "abcd":
        await line.join(name, f"org_{name}")
    assert line.began == ["a", "b"]
    await line.end("b")
    assert line.began == ["a", "b", "c"]
    await line.end("a", "c", "d")
    assert line.began == ["a", "b", "c", "d"]


@for_each("whose", ["org_a", "org_b"])
async def test_without_a_queue_another_turn_is_refused_at_once(whose: str):
    line = WaitingTasks(turns(overall=1, most_waiting=0))
    await line.join("a", "org_a")
    with pytest.raises(RateLimited):
        async with line.of.turn(whose):
            pass
    await line.end("a")
    async with line.of.turn(whose):
        pass


@for_each("overall", [1, 3])
async def test_a_wait_that_is_too_long_is_refused_and_frees_its_place(overall: int):
    impatient = turns(overall=overall, patience=timedelta(0))
    async with AsyncExitStack() as held:
        await held.enter_async_context(impatient.turn("org_a"))
        for whose in ("org_a", "org_b") if overall == 1 else ("org_a",):
            for _ in range(5):
                with pytest.raises(RateLimited):
                    async with impatient.turn(whose):
                        pass
    async with impatient.turn("org_a"):
        pass
