"""Kills parts of the stack while work is in progress."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass

from dev.stack.supervisor import PARTS, Stack
from tests.faults.clients import Journal

#: One kill in so many takes a second part with it.
ONE_IN = 5


@dataclass(frozen=True)
class Kill:
    """One strike: which parts at once, when, how much was in progress, how long each part took to be back."""

    parts: tuple[str, ...]
    at: float
    active: int
    back_after: dict[str, float]


def draw_kills(seed: int, each: int, parts: Sequence[str] = PARTS) -> list[tuple[str, ...]]:
    """Draw the order: every part `each` times, now and then two at once."""
    rng = random.Random(f"{seed} kills")
    left = [part for part in parts for _ in range(each)]
    rng.shuffle(left)
    strikes: list[tuple[str, ...]] = []
    while left:
        part = left.pop()
        others = [other for other in left if other != part]
        if each > 1 and others and rng.randrange(ONE_IN) == 0:
            second = rng.choice(others)
            left.remove(second)
            strikes.append((part, second))
        else:
            strikes.append((part,))
    return strikes


class Killer:
    """Strikes when its share of the work is settled, every part is back and a few more commands were answered.

    Clients begin an escrow or a payment only when the strike before its share has fallen (`may_begin`), and half of a
    share not before the parts are back: more than there are answers to wait for until the next strike. Where nothing is
    in progress any more one further may begin. So something always is when a strike falls, nobody waits for ever, and
    strikes fall until the end, however fast the machine is.
    """

    def __init__(
        self,
        stack: Stack,
        journal: Journal,
        seed: int,
        each: int,
        work: int,
        *,
        parts: Sequence[str],
        when_back: Callable[[str], Awaitable[object]] | None = None,
        around: Callable[[Sequence[str]], AbstractAsyncContextManager[object]] | None = None,
    ) -> None:
        """Take what is killed, how often and when.

        Args:
            stack: whose parts they are.
            journal: of the clients.
            seed: draws order and moments.
            each: how often each part is killed.
            work: how many pieces there are.
            parts: what is killed.
            when_back: called when a part that was killed is ready again.
            around: entered with the parts of a strike before it falls, and left when it has fallen.
        """
        self.strikes = draw_kills(seed, each, parts)
        self._when_back = when_back
        self._around = around or (lambda _parts: nullcontext())
        self.done: list[Kill] = []
        self._stack = stack
        self._journal = journal
        self._rng = random.Random(f"{seed} moments")
        self._work = work
        self._share = work / (len(self.strikes) + 1)
        self._begun = 0
        self._down = False

    async def may_begin(self) -> None:
        """Wait until one more may begin."""
        async with self._journal.progress:
            await self._journal.progress.wait_for(lambda: self._begun < self._may_have_begun())
            self._begun += 1
            self._journal.active += 1
            self._journal.progress.notify_all()

    def _may_have_begun(self) -> float:
        if not self._journal.active and not self._down:
            return self._begun + 1
        return self._share * len(self.done) + (self._share / 2 - 1 if self._down else self._share)

    async def run(self, say: Callable[[str], None]) -> None:
        """Strike every strike."""
        journal = self._journal
        for number, parts in enumerate(self.strikes):
            await self._until(lambda: journal.finished >= int(self._share * number))  # noqa: B023
            further = len(journal.answered) + self._rng.randint(1, max(1, int(self._share / 2)))
            await self._until(lambda: len(journal.answered) >= further and journal.active > 0)  # noqa: B023
            async with self._around(parts):
                kill = Kill(parts, time.monotonic(), self._journal.active, {})
                await asyncio.gather(*(self._stack.kill(part) for part in parts))
            self.done.append(kill)
            self._down = True
            await self._journal.note()
            await asyncio.gather(*(self._back(kill, part) for part in parts))
            self._down = False
            await self._journal.note()
            back = ", ".join(f"{part} after {seconds:.1f} s" for part, seconds in kill.back_after.items())
            say(
                f"  kill {len(self.done):>2}/{len(self.strikes)}  {' and '.join(parts):<20} {kill.active:>3} active, "
                f"{self._journal.finished:>3} settled; back: {back}"
            )

    async def _until(self, is_time: Callable[[], bool]) -> None:
        async with self._journal.progress:
            await self._journal.progress.wait_for(lambda: is_time() or self._journal.finished == self._work)

    async def _back(self, kill: Kill, part: str) -> None:
        await self._stack.wait_ready(part)
        kill.back_after[part] = time.monotonic() - kill.at
        if self._when_back is not None:
            await self._when_back(part)
