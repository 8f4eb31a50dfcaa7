"""RotationSweepWorkflow: starts the runs of rotations that have none."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.common.sweeps import Sweeps
    from contracts.common.sweeps import SweepPage, SweepProgress
    from workflows.common.sweep import sweep_pages

#: How long a step may be overdue before the rotation counts as one without a run.
PATIENCE = timedelta(minutes=2)
PAGE = 50


@workflow.defn(name="secret-rotation-sweep")
class RotationSweepWorkflow:
    """Starts the runs of rotations of which something was due.

    Messages: none; a schedule starts it.
    Ends when: each of them has a run.
    Continues as new: when the server suggests it, from where it stands.
    Compensates: nothing; an open run is left alone.
    """

    @workflow.run
    async def run(self, start: SweepProgress | None = None) -> SweepProgress:
        """Find them page by page and start the missing runs."""
        begin = SweepProgress(page=SweepPage(before=workflow.now() - PATIENCE, after="", limit=PAGE))
        return await sweep_pages(Sweeps.rotations, start or begin, "start rotations that have no run")
