"""AllocationSweepWorkflow: starts nights that have begun, and pays trials, every five minutes."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.returns.allocation import AllocationActivities
    from contracts.common.batch import HandledStep
    from contracts.common.queues import regular_activity
    from contracts.returns.allocation import AllocationSweep
    from workflows.common.batch import through_pages

#: How many projects or trials one attempt handles, one after the other.
PAGE = 50


@workflow.defn(name="allocation-sweep")
class AllocationSweepWorkflow:
    """Starts the run of each project whose night has begun, and pays the stages of trials that are due.

    Messages: none; a schedule starts it.
    Ends when: everything that was due when it started was tried.
    Continues as new: when the server suggests it, from where it stands.
    Compensates: nothing; a run is started once, and a stage is paid once.
    """

    @workflow.run
    async def run(self, start: AllocationSweep | None = None) -> AllocationSweep:
        """Handle what is due, nights first, page by page."""
        done = await through_pages(start or AllocationSweep(now=workflow.now(), limit=PAGE), _page)
        workflow.set_current_details(
            f"Due at {done.now:%Y-%m-%d %H:%M} UTC\n\n- nights started: {done.started}\n- trials paid or stopped: "
            f"{done.paid}"
        )
        return done


async def _page(at: AllocationSweep) -> HandledStep:
    method = AllocationActivities.start if at.step == "nights" else AllocationActivities.pay
    return await workflow.execute_activity_method(
        method,
        at.page,
        **regular_activity(f"{at.step} due at {at.now:%H:%M:%S}", timeout=timedelta(minutes=10)),
    )
