"""ReportSweepWorkflow: starts the runs of reports that are due, every five minutes."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.insight.report import ReportActivities
    from contracts.insight.report import ReportSweep
    from workflows.common.batch import through_activities

#: How many reports are read at once.
PAGE = 50


@workflow.defn(name="report-sweep")
class ReportSweepWorkflow:
    """Starts the run of each report whose period and late window are over, and deletes files that are old.

    Messages: none; a schedule starts it.
    Ends when: each report that is due has a run.
    Continues as new: when the server suggests it, from where it stands.
    Compensates: nothing; an open run is left alone.
    """

    @workflow.run
    async def run(self, start: ReportSweep | None = None) -> ReportSweep:
        """Start runs page by page."""
        return await through_activities(
            start or ReportSweep(now=workflow.now(), limit=PAGE),
            ReportActivities.start,
            lambda at: at.page,
            lambda at: f"start reports due at {at.now:%H:%M:%S}",
            _details,
        )


def _details(progress: ReportSweep) -> str:
    """Render the run's progress for operators."""
    return "\n".join(
        (
            f"Reports due at {progress.now:%Y-%m-%d %H:%M} UTC",
            "",
            f"- found: {progress.found}, of which runs were started: {progress.started}",
            f"- files deleted because they are old: {progress.forgotten}",
        )
    )
