"""Small work that every web process does now and then; harmless when several do it at once."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from api.recurring import Recurring
from domain.common.credits import CreditPrice
from repositories.common import idempotency
from repositories.escrow import escrow_notice
from repositories.messages import notification
from repositories.payments import provider_event
from repositories.tenants import session as sessions
from runtime.database import Database
from services.books import exchange_rate

log = structlog.get_logger("bursar.api")

KEEP_SETTLED = timedelta(days=30)
#: Until a provider's messages can no longer be disputed; see `domain/privacy/tables.py`.
KEEP_PAYLOADS = timedelta(days=548)
EVERY_SECONDS = 3600.0
#: How many rows are forgotten by one statement, which has a few seconds.
PAGE = 5_000


class _Page(Protocol):
    """Forgets a page of what is older than a moment, and returns how much."""

    async def __call__(self, session: AsyncSession, moment: datetime, /, *, limit: int) -> int: ...


class Maintenance(Recurring):
    """Forgets idempotency keys, settled notes of commands, sessions, and deleted addresses after 30 days; once an hour.

    What webhooks said is forgotten 18 months after they were handled.

    It also notes the price of a credit, in every currency that has a rate, and the value of a granted one; the settings
    may have changed.
    """

    def __init__(self, database: Database, price: CreditPrice, granted: CreditPrice) -> None:
        self._database = database
        self._price, self._granted = price, granted

    async def run_once(self) -> int:
        """Do one round, and return how many keys it forgot."""
        now = datetime.now(UTC)
        before = now - KEEP_SETTLED
        async with self._database.platform() as session:
            await exchange_rate.note_price(session, self._price, now)
            await exchange_rate.note_granted(session, self._granted, now)
            await sessions.delete_ended_before(session, before)
        # Keys first: of these there are most, and what fails ends the round.
        forgotten = await self._forget(idempotency.delete_older_than, before)
        await self._forget(escrow_notice.delete_settled_before, before)
        await self._forget(notification.forget_addresses, before)
        await self._forget(provider_event.forget_payloads, now - KEEP_PAYLOADS)
        return forgotten

    async def _forget(self, page: _Page, before: datetime) -> int:
        forgotten = 0
        while True:
            async with self._database.platform() as session:
                count = await page(session, before, limit=PAGE)
            forgotten += count
            if count < PAGE:
                return forgotten

    async def _forever(self) -> None:
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            try:
                await self.run_once()
            except Exception as exc:
                log.warning("maintenance.failed", error=f"{type(exc).__name__}: {exc}"[:300])
