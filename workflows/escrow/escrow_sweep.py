"""EscrowSweepWorkflow: expires proposed contracts, and restarts escrows whose run was lost."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.common.sweeps import Sweeps
    from activities.escrow.contract import ContractActivities
    from contracts.common.queues import local_activity
    from contracts.common.sweeps import SweepPage, SweepProgress
    from contracts.escrow.escrow import SweepResult
    from contracts.escrow.expiry import ExpireContracts
    from workflows.common.sweep import sweep_pages

#: How long after its deadline an escrow counts as one without a run.
PATIENCE = timedelta(minutes=5)
#: How many escrows are read at once: states with many milestones are large.
PAGE = 20
#: How many contracts one transaction marks as expired.
BATCH = 200


@workflow.defn(name="escrow-sweep")
class EscrowSweepWorkflow:
    """Restarts terminated runs of escrows once their deadline has passed.

    Before that it marks contracts that were not accepted in time as expired, and their parties get an event.

    A terminated run has no timers, so its escrow would not end until a command comes. The books hold the run's whole
    state; the run that resumes from them applies the deadline at once.

    Messages: none; a schedule starts it.
    Ends when: each contract that is due is expired, and each overdue escrow has a run.
    Continues as new: when the server suggests it, from where it stands.
    Compensates: nothing; an open run is left alone, and a contract expires at its time, marked or not.
    """

    @workflow.run
    async def run(self, start: SweepProgress | None = None) -> SweepResult:
        """Find overdue escrows page by page and start the missing runs."""
        if start is None:
            await self._expire_contracts()
        begin = SweepProgress(page=SweepPage(before=workflow.now() - PATIENCE, after="", limit=PAGE))
        done = await sweep_pages(Sweeps.escrows, start or begin, "start escrows whose deadline has passed")
        if done.started:
            workflow.logger.warning("escrows without a run were started again", extra={"started": done.started})
        return SweepResult(overdue=done.found, started=done.started)

    async def _expire_contracts(self) -> None:
        """Mark contracts that were not accepted in time as expired, batch by batch."""
        total, count = 0, BATCH
        while count == BATCH:
            noted = await workflow.execute_local_activity_method(
                ContractActivities.expire_contracts,
                ExpireContracts(limit=BATCH),
                **local_activity("note contracts that were not accepted in time", timeout=timedelta(seconds=30)),
            )
            count = noted.count
            total += count
        workflow.set_current_details(f"Contracts that were not accepted in time, and are noted now: {total}")
