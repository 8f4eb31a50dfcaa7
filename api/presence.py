"""Notes in the database that the API is there, so that deadlines give back the time in which it was not."""

import asyncio

import structlog

from api.recurring import Recurring
from repositories.common import api_presence
from runtime.database import Database

log = structlog.get_logger("bursar.api")

EVERY_SECONDS = 10.0


class Presence(Recurring):
    """Writes every few seconds; every web process does, and one of them suffices."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def note(self) -> None:
        """Note it once."""
        async with self._database.platform() as session:
            await api_presence.note(session)

    async def _forever(self) -> None:
        while True:
            try:
                await self.note()
            except Exception as exc:
                log.warning("presence.failed", error=f"{type(exc).__name__}: {exc}"[:300])
            await asyncio.sleep(EVERY_SECONDS)
