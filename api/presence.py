"""Heartbeat of the API in the database, so that deadlines can be extended by outages."""

import asyncio

import structlog

from api.recurring import Recurring
from repositories.common import api_presence
from runtime.database import Database

log = structlog.get_logger("bursar.api")

EVERY_SECONDS = 10.0


class Presence(Recurring):
    """Writes a heartbeat every few seconds; one web process is enough."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def note(self) -> None:
        """Write a heartbeat."""
        async with self._database.platform() as session:
            await api_presence.note(session)

    async def _forever(self) -> None:
        while True:
            try:
                await self.note()
            except Exception as exc:
                log.warning("presence.failed", error=f"{type(exc).__name__}: {exc}"[:300])
            await asyncio.sleep(EVERY_SECONDS)
