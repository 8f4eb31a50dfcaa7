"""Activity that expires unaccepted contracts."""

from temporalio import activity

from contracts.escrow.expiry import ExpireContracts, ExpiredContracts
from repositories.escrow import contract
from runtime.database import Database


class ContractActivities:
    """Activity of `EscrowSweepWorkflow` on contracts."""

    def __init__(self, database: Database) -> None:
        """Use the database, with the platform's role."""
        self._database = database

    @activity.defn
    async def expire_contracts(self, message: ExpireContracts) -> ExpiredContracts:
        """Mark a batch of contracts that were not accepted in time as expired.

        Effect: each contract is marked, and its parties get an event.
        Idempotent by: the mark.
        """
        async with self._database.platform() as session:
            return ExpiredContracts(count=await contract.expire(session, limit=message.limit))
