"""ExportWorkflow: writes the files of one export, and deletes them a week later."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.insight.export import ExportActivities
    from contracts.common.queues import regular_activity
    from contracts.insight.export import (
        ExpireExport,
        ExportInput,
        ExportResult,
        FinishExport,
        SettledExport,
        SettleExport,
        WriteExportFile,
        WrittenFile,
    )
    from domain.insight.export import FILES_KEPT_FOR
    from workflows.common.batch import through_pages

#: The time limit of one file, and of its heartbeats.
FILE_TIMEOUT, HEARTBEAT = timedelta(hours=2), timedelta(seconds=30)
#: How long it waits before it asks again whether older transactions have ended: longer each time.
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=1), timedelta(minutes=2)


@workflow.defn(name="export")
class ExportWorkflow:
    """Writes an export file by file, each of up to a million rows. A run of one that is done deletes its files.

    Messages: none; an order over HTTP starts it, and the sweep where it has none or its files are due to be deleted.
    Ends when: the manifest is written, or the files are deleted.
    Continues as new: when the server suggests it, between two files.
    Compensates: nothing; a file that was not recorded is written again.
    """

    @workflow.run
    async def run(self, start: ExportInput) -> ExportResult:
        """Wait for older transactions, and write the files and the manifest."""
        if start.settle_until is not None:
            workflow.set_current_details("Waits for transactions that were open when the export was ordered")
            await workflow.sleep(max(start.settle_until - workflow.now(), timedelta(0)))
            pause = FIRST_PAUSE
            while not (settled := await self._settle(start)).settled:
                await workflow.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            if settled.done:
                await workflow.execute_activity_method(
                    ExportActivities.expire,
                    ExpireExport(export_id=start.export_id, now=workflow.now()),
                    **regular_activity("delete the files"),
                )
                workflow.set_current_details(f"{start.summary}\n\nThe files are deleted.")
                return ExportResult()
            start = start.model_copy(update={"settle_until": None})
        done = await through_pages(start, self._file)
        await workflow.execute_activity_method(
            ExportActivities.finish,
            FinishExport(export_id=start.export_id, now=workflow.now()),
            **regular_activity("write the manifest"),
        )
        workflow.set_current_details(details(done, f"Done; the files are deleted in {FILES_KEPT_FOR.days} days."))
        return ExportResult(files=done.number - 1, rows=done.rows)

    async def _settle(self, at: ExportInput) -> SettledExport:
        return await workflow.execute_activity_method(
            ExportActivities.settle,
            SettleExport(export_id=at.export_id),
            **regular_activity("see whether older transactions have ended"),
        )

    async def _file(self, at: ExportInput) -> WrittenFile:
        workflow.set_current_details(details(at, f"Writes file {at.number}."))
        return await workflow.execute_activity_method(
            ExportActivities.write_file,
            WriteExportFile(export_id=at.export_id, number=at.number),
            **regular_activity(f"write file {at.number}", timeout=FILE_TIMEOUT, heartbeat=HEARTBEAT),
        )


def details(run: ExportInput, state: str) -> str:
    """Render the run's progress for operators."""
    return f"{run.summary}\n\n{state}\n\n- rows written: {run.rows}\n- files written: {run.number - 1}"
