"""Small work that every web process does now and then; harmless when several do it at once."""

import asyncio
from datetime import UTC, datetime, timedelta

import structlog

from domain.credits import CreditPrice
from repositories import escrow_notice, idempotency
from repositories import session as sessions
from runtime.database import Database
from services import exchange_rate

log = structlog.get_logger("bursar.api")

KEEP_IDEMPOTENCY_KEYS = timedelta(days=30)
EVERY_SECONDS = 3600.0


class Maintenance:
    """Forgets idempotency keys, notes of commands that were settled, and sessions, after 30 days; once an hour.

    It also notes the price of a credit, in every currency that has a rate; the setting may have changed.
    """

    def __init__(self, database: Database, price: CreditPrice) -> None:
        """Take the engines, and what a credit costs."""
        self._database = database
        self._price = price
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; the first round is an hour away."""
        self._task = asyncio.create_task(self._forever())

    async def close(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def run_once(self) -> int:
        """Do one round, and return how many keys it forgot."""
        now = datetime.now(UTC)
        before = now - KEEP_IDEMPOTENCY_KEYS
        async with self._database.platform() as session:
            await exchange_rate.note_price(session, self._price, now)
            await escrow_notice.delete_settled_before(session, before)
            await sessions.delete_ended_before(session, before)
            return await idempotency.delete_older_than(session, before)

    async def _forever(self) -> None:
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            try:
                await self.run_once()
            except Exception as exc:
                log.warning("maintenance.failed", error=f"{type(exc).__name__}: {exc}"[:300])
