"""Periodic deletions of every web process, safe to run concurrently."""

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
#: Retention until a provider's messages can no longer be disputed; see `domain/privacy/tables.py`.
KEEP_PAYLOADS = timedelta(days=548)
EVERY_SECONDS = 3600.0
#: Rows deleted by one statement, which is limited to a few seconds.
PAGE = 5_000


class _Page(Protocol):
    """Deletes a page of rows older than a time, and returns their number."""

    async def __call__(self, session: AsyncSession, moment: datetime, /, *, limit: int) -> int: ...


class Maintenance(Recurring):
    """Deletes expired idempotency keys, command notes, sessions and addresses after 30 days, once an hour.

    Payloads of webhooks are deleted 18 months after they were handled.

    It also records the price of a credit in every currency with a rate, and the value of a granted credit, because
    settings may have changed.
    """

    def __init__(self, database: Database, price: CreditPrice, granted: CreditPrice) -> None:
        self._database = database
        self._price, self._granted = price, granted

    async def run_once(self) -> int:
        """Run one round, and return the number of deleted keys."""
        now = datetime.now(UTC)
        before = now - KEEP_SETTLED
        async with self._database.platform() as session:
            await exchange_rate.store_price(session, self._price, now)
            await exchange_rate.store_granted_value(session, self._granted, now)
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
