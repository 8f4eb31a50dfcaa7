"""InvoiceSweepWorkflow: gives a run to invoices that have lost theirs, and has those look that have changed."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.sweeps import Sweeps
    from contracts.invoice import InvoiceSweepResult
    from contracts.sweeps import SweepPage, SweepProgress
    from workflows.sweep import sweep_pages

#: How long something may be due, or have changed, before an invoice is taken for one whose run does not know.
PATIENCE = timedelta(minutes=2)
#: How many invoices are read at once.
PAGE = 50


@workflow.defn(name="invoice-sweep")
class InvoiceSweepWorkflow:
    """Starts the runs of invoices that nobody could start, and tells those whose invoice or payment has changed.

    Messages: none; a schedule starts it.
    Ends when: each invoice with something due has a run, and each that has changed was told.
    Continues as new: when the server suggests it, from where it stands.
    Compensates: nothing; a run that lives and knows is left alone.
    """

    @workflow.run
    async def run(self, start: SweepProgress | None = None) -> InvoiceSweepResult:
        """Find invoices page by page, and start or tell their runs."""
        begin = SweepProgress(page=SweepPage(before=workflow.now() - PATIENCE, after="", limit=PAGE))
        done = await sweep_pages(Sweeps.invoices, start or begin, "start invoices that should have moved")
        return InvoiceSweepResult(waiting=done.found, started=done.started)
