"""Escrows and payments with and without events in the outbox: as their benches drive them, and alone.

Alone is the transaction, in this process, on one connection, without Temporal or HTTP.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from itertools import count
from typing import Any

import asyncpg

from activities.escrow.escrow import EscrowActivities
from api.v1.escrows.commands import terms_of
from contracts.escrow.escrow import RecordEscrowEvent
from dev.bench.escrow import Escrows
from dev.bench.neighbours import news
from dev.bench.payments import PaymentDriver, burst
from dev.bench.quiet_worker import without_events
from dev.bench.rows import BenchRow, alternate
from dev.bench.world import PARTS, World, running_world
from dev.stack.parts import python_environment
from domain.common.access import Actor, Role
from domain.common.state_hash import state_hash
from domain.escrow import commands
from domain.escrow.state import Escrow, Outcome, Terms
from models.escrow.contract import Contract
from runtime.database import Database

EACH = 25
ROUNDS = 24
WHOLE_ROUNDS = 6
PAYMENTS = 100
NUMBERS = count(1)
Rate = Callable[[], Awaitable[float]]


class Written:
    """Writes escrows as their runs do."""

    def __init__(self, world: World, database: Database) -> None:
        """Take the books."""
        self.escrows, self.database = Escrows(world), database
        self.activities = EscrowActivities(database)

    async def agreed(self) -> Terms:
        """Return the terms of a new contract."""
        contract_id = await self.escrows.award(0)
        async with self.database.platform() as session:
            contract = await session.get(Contract, contract_id)
            assert contract is not None
            return terms_of(contract)

    async def write(self, before: Escrow | None, outcome: Outcome) -> Escrow:
        """Write one event, and return the state after it."""
        now, command_id = datetime.now(UTC), f"cmd_bench_{next(NUMBERS)}"
        numbered = commands.with_receipt(outcome, command_id=command_id, now=now)
        message = RecordEscrowEvent(
            outcome=numbered,
            command_id=command_id,
            at=now,
            decided_from=None if before is None else state_hash(before),
        )
        assert (await self.activities.record_event(message)).applied
        return numbered.escrow

    async def whole(self, terms: Terms) -> None:
        """Open, fund, deliver and release an escrow."""
        payer = Actor(principal="bench", role=Role.OWNER, org_id=terms.payer_org_id)
        agent = Actor(principal="bench", role=Role.AGENT, org_id=terms.payee_org_id, agent_id=terms.agent_id)
        validator = Actor(principal="bench", role=Role.VALIDATOR)
        now = datetime.now(UTC)
        opened = await self.write(None, commands.opened(terms, actor=payer, now=now))
        funded = await self.write(opened, commands.fund(opened, actor=payer, source=commands.CREDITS, now=now))
        delivery: dict[str, Any] = {"actor": agent, "artifacts": (), "note": None, "milestone": None, "now": now}
        delivered = await self.write(funded, commands.deliver(funded, **delivery))
        await self.write(delivered, commands.validate(delivered, actor=validator, score_e4=9_500, note=None, now=now))

    async def rate(self) -> float:
        """Return events a second."""
        agreed = [await self.agreed() for _ in range(EACH)]
        began = time.perf_counter()
        for terms in agreed:
            await self.whole(terms)
        return EACH * 4 / (time.perf_counter() - began)


async def run(world: World) -> list[BenchRow]:
    """Measure whole escrows and payments on a stack of their own, then their transactions alone."""
    return [*await _whole(), *await _alone(world)]


async def _whole() -> list[BenchRow]:
    """Measure on a stack whose worker can be asked to write no events."""
    rows = list[BenchRow]()
    async with AsyncExitStack() as held:
        world = await held.enter_async_context(running_world([part for part in PARTS if part != "worker"]))
        measured = await held.enter_async_context(_worker(world))
        escrows, payments = Escrows(world), PaymentDriver(world)
        held.callback(escrows.close)
        held.push_async_callback(payments.http.aclose)
        await payments.close_queue()

        async def booked() -> float:
            return PAYMENTS / (await burst(payments, PAYMENTS))[1]

        rows_of = {
            "escrows over HTTP with their events, 20 clients": (escrows.rate, "escrow."),
            f"{PAYMENTS} payments booked at once with their events": (booked, "payment."),
        }
        for name, (rate, type) in rows_of.items():
            await rate()
            ours, without = await alternate(
                partial(measured, rate, type, with_events=True),
                partial(measured, rate, type, with_events=False),
                WHOLE_ROUNDS,
            )
            rows.append(BenchRow(name=name, value=ours, unit="/s", against="without", baseline=without, target=0.95))
    return rows


@asynccontextmanager
async def _worker(world: World) -> AsyncIterator[Callable[..., Awaitable[float]]]:
    """Run the worker of a stack that has none; yields what measures a rate with events, or without."""
    env = python_environment({**os.environ, **world.stack.environment()}, world.data_dir)
    with (world.data_dir / "logs" / "quiet_worker.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "dev.bench.quiet_worker", env=env, stdout=log, stderr=log
        )
    owner = await asyncpg.connect(world.database_url)

    async def measured(rate: Rate, type: str, *, with_events: bool) -> float:
        count = "SELECT count(*) FROM events WHERE starts_with(type, $1)"
        process.send_signal(signal.SIGUSR2 if with_events else signal.SIGUSR1)
        before = await owner.fetchval(count, type)
        found = await rate()
        if (await owner.fetchval(count, type) > before) is not with_events:
            raise RuntimeError(f"the worker wrote {'no' if with_events else 'some'} events of {type}")
        return found

    try:
        yield measured
    finally:
        await owner.close()
        process.terminate()
        await process.wait()


async def _alone(world: World) -> list[BenchRow]:
    database = Database(world.database_url, world.database_url, pool_size=1, pre_ping=False)
    written, rows = Written(world, database), list[BenchRow]()
    async with AsyncExitStack() as held:
        held.push_async_callback(database.close)
        book = await news(database, world.ids["client_org"], held)

        async def booked() -> float:
            began = time.perf_counter()
            for _ in range(EACH):
                await book()
            return EACH / (time.perf_counter() - began)

        async def without(rate: Rate) -> float:
            with without_events():
                return await rate()

        rows_of = {
            "an escrow's event with two rows of the outbox, one connection": written.rate,
            "a payment's news with their rows of the outbox, one connection": booked,
        }
        for name, rate in rows_of.items():
            await rate()
            ours, bare = await alternate(rate, partial(without, rate), ROUNDS)
            rows.append(BenchRow(name=name, value=ours, unit="/s", against="without", baseline=bare))
    return rows
