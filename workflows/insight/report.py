"""ReportWorkflow: makes one period of a report, and looks once more for what came late."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.insight.report import ReportActivities
    from contracts.common.queues import regular_activity
    from contracts.insight.report import MadeReport, MakeReport, RecomputeNow, ReportInput


@workflow.defn(name="report")
class ReportWorkflow:
    """Waits until a period and its late window are over, makes its file, and computes it once more days later.

    Messages: signal `look_again`, the period is computed once more, now.
    Ends when: the period was computed after its last day to be late, or the report was deleted.
    Continues as new: when the server suggests it, after many signals; the new run computes first.
    Compensates: nothing; a version that was sent stays, and the next one says what differs.
    """

    def __init__(self) -> None:
        """Begin a run, whose first look is due."""
        self._asked = False

    @workflow.run
    async def run(self, start: ReportInput) -> MadeReport:
        """Compute, and wait for the next time to."""
        while True:
            self._asked = False
            now = workflow.now()
            done = await workflow.execute_activity_method(
                ReportActivities.make,
                MakeReport(report_id=start.report_id, period=start.period, now=now),
                **regular_activity(f"make the report of {start.period}", timeout=timedelta(minutes=5)),
            )
            workflow.set_current_details(_details(start, done))
            if self._asked and not workflow.info().is_continue_as_new_suggested():
                # Asked for while it was computed: what was booked since may not be in it.
                continue
            if done.next_at is None:
                return done
            try:
                await workflow.wait_condition(
                    lambda: self._asked, timeout=done.next_at - now, timeout_summary=f"until {start.period} is due"
                )
            except TimeoutError:
                continue
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(start)

    @workflow.signal(name="look_again")
    def signal_look_again(self, _message: RecomputeNow) -> None:
        """Compute the period once more."""
        self._note_request()

    def _note_request(self) -> None:
        self._asked = True


def _details(start: ReportInput, done: MadeReport) -> str:
    """Render the run's progress for operators."""
    lines = [f"Report of {start.period}", ""]
    if done.number is None:
        lines.append("- the report was deleted" if done.next_at is None else "- not made yet")
    else:
        lines += [
            f"- run {done.number}, version {done.version} of the period",
            f"- recipients notified: {done.told}; left out: {done.left_out}, the run says why",
        ]
    if done.next_at is not None:
        lines.append(f"- computed at {done.next_at:%Y-%m-%d %H:%M} UTC; the signal `look_again` computes it now")
    return "\n".join(lines)
