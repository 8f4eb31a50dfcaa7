"""ExportSweepWorkflow: starts exports that have no run, and deletes files whose time is over."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.common.sweeps import Sweeps
    from contracts.common.sweeps import SweepPage, SweepProgress
    from workflows.common.sweep import sweep_pages

#: How old an order is that counts as one without a run.
PATIENCE = timedelta(minutes=1)
PAGE = 50


@workflow.defn(name="export-sweep")
class ExportSweepWorkflow:
    """Starts the runs of exports that are not done, and of those whose files are to be deleted.

    Messages: none; a schedule starts it.
    Ends when: each of them has a run.
    Continues as new: when the server suggests it, from where it stands.
    Compensates: nothing; an open run is left alone.
    """

    @workflow.run
    async def run(self, start: SweepProgress | None = None) -> SweepProgress:
        """Find them page by page and start the missing runs."""
        begin = SweepProgress(page=SweepPage(before=workflow.now() - PATIENCE, after="", limit=PAGE))
        return await sweep_pages(Sweeps.exports, start or begin, "start exports that have no run")
