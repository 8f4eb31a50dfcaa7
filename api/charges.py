"""Charges that arrive together are answered together: of one organization, and of several.

Charges of one organization change the same balance, so they pass one by one in any case. A process has one statement of
each organization under way; what arrives meanwhile waits and is charged by the next one, in the order of its arrival.

While charges are under way, those of other organizations gather, one of each, and share a transaction: its round trip
and its flush are most of what a charge costs. No organization waits for another there: one whose balance another
transaction has, and what does not plainly fit, is left out and charged by itself.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import asyncpg

from api.pool import StatementPool
from domain.common.errors import DomainError, Unavailable, other_request
from ledger.spending import Spending, charge_together
from ledger.spends import NewSpend, SpendOutcome, SpendResult

#: The most charges of one statement: it holds the organization's balance while it runs.
MAX_PER_STATEMENT = 200
#: The most organizations of one transaction, whose balances it has until its end.
MAX_ORGANIZATIONS = 16
#: The maximum number of concurrent transactions: while one is flushed, another one works.
MAX_TRANSACTIONS = 2

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class _Waiting:
    spend: NewSpend
    answer: asyncio.Future[SpendResult]


class Charges:
    """Charges organizations; `close` refuses what still waits."""

    def __init__(self, pool: StatementPool) -> None:
        """Take the pool of the tenants' role, whose connections are in no transaction."""
        self._pool = pool
        #: What waits of each organization; a member that is here is being worked on, or ready.
        self._queues: dict[str, list[_Waiting]] = {}
        #: Organizations that wait for the next set.
        self._ready: list[str] = []
        self._sets = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def charge(self, org_id: str, spend: NewSpend) -> SpendResult:
        """Charge one spend, with others of the organization where some wait; raises what `Spending.charge` raises."""
        if not spend.is_plain:
            return await self.run(org_id, lambda books: books.charge(spend))
        waiting = _Waiting(spend, asyncio.get_running_loop().create_future())
        queue = self._queues.get(org_id)
        if queue is not None:
            queue.append(waiting)
            return await waiting.answer
        self._queues[org_id] = [waiting]
        if not self._tasks:
            self._begin(self._work(org_id))
        else:
            self._ready.append(org_id)
            if self._sets < MAX_TRANSACTIONS:
                self._sets += 1
                self._begin(self._work_sets())
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
        self._ready.clear()

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        # A task of its own: the first caller may leave, and the others go on.
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _once(self, org_id: str, act: Callable[[Spending], Awaitable[T]]) -> T:
        return await self._on_connection(lambda connection: act(Spending(connection, org_id)))

    async def _on_connection(self, act: "Callable[[asyncpg.Connection], Awaitable[T]]") -> T:
        async def statement(pool: "asyncpg.Pool[asyncpg.Record]") -> T:
            async with pool.acquire() as connection:
                # A proxy of the connection, which does all that one does.
                return await act(cast("asyncpg.Connection", connection))

        return await self._pool.read(statement)

    async def _work_sets(self) -> None:
        while self._ready:
            taken, self._ready = self._ready[:MAX_ORGANIZATIONS], self._ready[MAX_ORGANIZATIONS:]
            await self._answer_set(taken)
        self._sets -= 1

    async def _answer_set(self, org_ids: list[str]) -> None:
        spends = []
        for org_id in org_ids:
            # More of one organization share a statement by themselves.
            if len(queue := self._queues[org_id]) > 1:
                self._begin(self._work(org_id))
            else:
                spends.append((org_id, queue[0].spend))
        if not spends:
            return
        answers: list[SpendResult | None]
        try:
            answers = await self._on_connection(lambda connection: charge_together(connection, spends))
        except (DomainError, asyncpg.PostgresError):
            # One of them is at fault, and all are taken back: each is answered by itself.
            answers = [None] * len(spends)
        except Exception as error:
            for org_id, _ in spends:
                _fail(self._queues[org_id][0], error)
                self._next(org_id)
            return
        for (org_id, _), spent in zip(spends, answers, strict=True):
            if spent is None:
                self._begin(self._work(org_id))
            else:
                _answer(self._queues[org_id][0], spent)
                self._next(org_id)

    def _next(self, org_id: str) -> None:
        """Take the first of an organization's charges off its queue; what is left of it waits for the next set."""
        queue = self._queues[org_id]
        del queue[0]
        if queue:
            self._ready.append(org_id)
        else:
            del self._queues[org_id]

    async def _work(self, org_id: str) -> None:
        queue = self._queues[org_id]
        while queue:
            group = queue[:MAX_PER_STATEMENT]
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
                if spent.outcome is SpendOutcome.CONFLICT:
                    _fail(waiting, other_request())
                else:
                    _answer(waiting, spent)

    async def _answer_alone(self, org_id: str, waiting: _Waiting) -> None:
        try:
            spent = await self.run(org_id, lambda spending: spending.charge(waiting.spend))
        except Exception as error:
            _fail(waiting, error)
        else:
            _answer(waiting, spent)


def _answer(waiting: _Waiting, spent: SpendResult) -> None:
    if not waiting.answer.done():
        waiting.answer.set_result(spent)


def _fail(waiting: _Waiting, error: Exception) -> None:
    if not waiting.answer.done():
        waiting.answer.set_exception(error)
