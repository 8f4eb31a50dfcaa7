"""Notes which contracts nobody accepted in time."""

from temporalio import activity

from contracts.expiry import ExpireContracts, ExpiredContracts
from repositories import contract
from runtime.database import Database


class ContractActivities:
    """The sweep's effect: contracts that are marked, each with its event."""

    def __init__(self, database: Database) -> None:
        """Take the database; the platform's role sees every tenant's contracts."""
        self._database = database

    @activity.defn
    async def expire_contracts(self, message: ExpireContracts) -> ExpiredContracts:
        """Note a batch of contracts whose time to be accepted is over.

        Effect: each contract is marked, and its parties have an event.
        Idempotent by: the mark; a contract that has one is not found again.
        Fails with: nothing that is final.
        """
        async with self._database.platform() as session:
            return ExpiredContracts(count=await contract.expire(session, limit=message.limit))
