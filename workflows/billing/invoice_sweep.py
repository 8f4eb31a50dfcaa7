"""InvoiceSweepWorkflow: restarts invoices whose run was lost, and signals those that have changed."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.common.sweeps import Sweeps
    from contracts.billing.invoice import InvoiceSweepResult
    from contracts.common.sweeps import SweepPage, SweepProgress
    from workflows.common.sweep import sweep_pages

#: How long a step may be due, or a change unseen, before an invoice's run counts as lost.
PATIENCE = timedelta(minutes=2)
#: How many invoices are read at once.
PAGE = 50


@workflow.defn(name="invoice-sweep")
class InvoiceSweepWorkflow:
    """Starts missing runs of invoices, and signals runs whose invoice or payment has changed.

    Messages: none; a schedule starts it.
    Ends when: each invoice with something due has a run, and each run with an unseen change was signalled.
    Continues as new: when the server suggests it, from where it stands.
    Compensates: nothing; a run that is up to date is left alone.
    """

    @workflow.run
    async def run(self, start: SweepProgress | None = None) -> InvoiceSweepResult:
        """Find invoices page by page, and start or signal their runs."""
        begin = SweepProgress(page=SweepPage(before=workflow.now() - PATIENCE, after="", limit=PAGE))
        done = await sweep_pages(Sweeps.invoices, start or begin, "start invoices that should have moved")
        return InvoiceSweepResult(waiting=done.found, started=done.started)
