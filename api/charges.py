"""Charges that arrive together: those of one organization that wait for each other are answered by one statement.

Charges of one organization change the same balance, so they pass one by one in any case. A process has one statement of
each organization under way; what arrives meanwhile waits and is charged by the next one, in the order of its arrival.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar, cast

import asyncpg

from api.pool import StatementPool
from domain.errors import DomainError, Unavailable, other_request
from ledger.spending import NewSpend, Outcome, Spending, Spent

#: The most charges of one statement: it holds the organization's balance while it runs.
MAX_TOGETHER = 200

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class _Waiting:
    spend: NewSpend
    answer: asyncio.Future[Spent]


class Charges:
    """Charges organizations; `close` refuses what still waits."""

    def __init__(self, pool: StatementPool) -> None:
        """Take the pool of the tenants' role, whose connections are in no transaction."""
        self._pool = pool
        self._queues: dict[str, list[_Waiting]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def charge(self, org_id: str, spend: NewSpend) -> Spent:
        """Charge one spend, with others of the organization where some wait; raises what `Spending.charge` raises."""
        waiting = _Waiting(spend, asyncio.get_running_loop().create_future())
        queue = self._queues.get(org_id)
        if queue is not None:
            queue.append(waiting)
        else:
            self._queues[org_id] = [waiting]
            # A task of its own: the first caller may leave, and the others go on.
            task = asyncio.create_task(self._work(org_id))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await waiting.answer

    async def run(self, org_id: str, act: Callable[[Spending], Awaitable[T]]) -> T:
        """Run one statement of an organization, and once more where it was lost: its key is safe to repeat."""
        try:
            return await self._once(org_id, act)
        except Unavailable:
            return await self._once(org_id, act)

    async def close(self) -> None:
        """Stop: requests that still wait are refused as unavailable, with the advice to repeat them."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for queue in self._queues.values():
            for waiting in queue:
                _fail(waiting, Unavailable("The server is stopping. Repeat the request with the same key."))
        self._queues.clear()

    async def _once(self, org_id: str, act: Callable[[Spending], Awaitable[T]]) -> T:
        async def statement(pool: "asyncpg.Pool[asyncpg.Record]") -> T:
            async with pool.acquire() as connection:
                # A proxy of the connection, which does all that one does.
                return await act(Spending(cast("asyncpg.Connection", connection), org_id))

        return await self._pool.read(statement)

    async def _work(self, org_id: str) -> None:
        queue = self._queues[org_id]
        while queue:
            group = queue[:MAX_TOGETHER]
            await self._answer(org_id, group)
            del queue[: len(group)]
        del self._queues[org_id]

    async def _answer(self, org_id: str, group: list[_Waiting]) -> None:
        if len(group) == 1:
            await self._answer_alone(org_id, group[0])
            return
        try:
            spends = [waiting.spend for waiting in group]
            answers = await self.run(org_id, lambda spending: spending.charge_many(spends))
        except Unavailable as error:
            for waiting in group:
                _fail(waiting, error)
        except DomainError:
            # One of them is refused outright, which takes the statement back for all: each is answered by itself.
            for waiting in group:
                await self._answer_alone(org_id, waiting)
        except Exception as error:
            for waiting in group:
                _fail(waiting, error)
        else:
            for waiting, spent in zip(group, answers, strict=True):
                if spent.outcome is Outcome.CONFLICT:
                    _fail(waiting, other_request())
                elif not waiting.answer.done():
                    waiting.answer.set_result(spent)

    async def _answer_alone(self, org_id: str, waiting: _Waiting) -> None:
        try:
            spent = await self.run(org_id, lambda spending: spending.charge(waiting.spend))
        except Exception as error:
            _fail(waiting, error)
        else:
            if not waiting.answer.done():
                waiting.answer.set_result(spent)


def _fail(waiting: _Waiting, error: Exception) -> None:
    if not waiting.answer.done():
        waiting.answer.set_exception(error)
