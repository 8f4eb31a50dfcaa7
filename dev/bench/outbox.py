"""Events of escrows and payments with what they tell, against the same that tell nobody: the transaction alone.

In this process, on one connection and without Temporal or HTTP, which would hide what a row costs. The ratio of whole
commands is nearer to one.
"""

import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from itertools import count
from typing import Any
from unittest.mock import patch

from activities.escrow import EscrowActivities
from api.v1.escrows.commands import terms_of
from contracts.escrow import RecordEscrowEvent
from dev.bench.escrow import Escrows
from dev.bench.neighbours import news
from dev.bench.rows import Row, alternate
from dev.bench.world import World
from domain.access import Actor, Role
from domain.escrow import commands
from domain.escrow.state import Escrow, Outcome, Terms
from domain.state_hash import state_hash
from models.contract import Contract
from runtime.database import Database

EACH = 25
ROUNDS = 24
NUMBERS = count(1)
Rate = Callable[[], Awaitable[float]]


@contextmanager
def telling_nobody() -> Iterator[None]:
    """Have escrows and payments write their events without rows of the outbox, and without what writes these."""
    with ExitStack() as patched:
        for noun in ("escrow", "payment"):
            patched.enter_context(patch(f"activities.{noun}.facts", lambda *_: []))
        yield


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
        numbered = commands.numbered(outcome, command_id=command_id, now=now)
        message = RecordEscrowEvent(
            escrow=numbered.escrow,
            event=numbered.event,
            command_id=command_id,
            actor=numbered.actor,
            moves=numbered.moves,
            details=dict(numbered.details),
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


async def run(world: World) -> list[Row]:
    """Measure both rows."""
    database = Database(world.database_url, world.database_url, pool_size=1, pre_ping=False)
    written, rows = Written(world, database), list[Row]()
    async with AsyncExitStack() as held:
        held.push_async_callback(database.close)
        book = await news(database, world.ids["client_org"], held)

        async def booked() -> float:
            began = time.perf_counter()
            for _ in range(EACH):
                await book()
            return EACH / (time.perf_counter() - began)

        measured = {
            "an escrow's event with two rows of the outbox, one connection": written.rate,
            "a payment's news with their rows of the outbox, one connection": booked,
        }
        for name, rate in measured.items():
            await rate()
            told, untold = await alternate(rate, partial(_alone, rate), ROUNDS)
            rows.append(Row(name=name, value=told, unit="/s", against="without", baseline=untold, target=0.95))
    return rows


async def _alone(rate: Rate) -> float:
    with telling_nobody():
        return await rate()
