"""Seals the log of access to secrets."""

import structlog
from temporalio import activity

from contracts.common.batch import BatchPage
from contracts.secrets.access import SealedEntries
from runtime.database import Database
from services.secrets import access

log = structlog.get_logger("bursar.secrets")


class SecretAccessActivities:
    """The activity of `SecretAccessSealWorkflow`."""

    def __init__(self, database: Database) -> None:
        """Take the database, with the platform's role, which sees the entries of every organization."""
        self._database = database

    @activity.defn
    async def seal_access(self, message: BatchPage) -> SealedEntries:
        """Seal the next page of entries.

        Effect: one seal over entries that no later one can come before; a line of the log with its hash.
        Idempotent by: the last seal, behind which the next one begins.
        Fails with: Conflict, if the last seal is ahead of the server's transactions.
        """
        async with self._database.platform() as session:
            done = await access.seal(session, limit=message.limit, now=message.now)
        if done.count:
            log.info("secret_access.sealed", number=done.number, count=done.count, hash=done.hash.hex())
        return SealedEntries(count=done.count, number=done.number, hash=done.hash.hex())
