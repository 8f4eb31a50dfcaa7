"""Expires contracts that were not accepted in time."""

from temporalio import activity

from contracts.escrow.expiry import ExpireContracts, ExpiredContracts
from repositories.escrow import contract
from runtime.database import Database


class ContractActivities:
    """The activity of `EscrowSweepWorkflow` on contracts."""

    def __init__(self, database: Database) -> None:
        """Take the database; the platform's role sees every tenant's contracts."""
        self._database = database

    @activity.defn
    async def expire_contracts(self, message: ExpireContracts) -> ExpiredContracts:
        """Mark a batch of contracts whose time to be accepted has passed as expired.

        Effect: each contract is marked, and its parties get an event.
        Idempotent by: the mark; a marked contract is not found again.
        """
        async with self._database.platform() as session:
            return ExpiredContracts(count=await contract.expire(session, limit=message.limit))
