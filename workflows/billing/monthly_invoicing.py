"""MonthlyInvoicingWorkflow: issues the invoices of a month, once for each organization."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.billing.billing_run import BillingRunActivities
    from contracts.billing.billing_run import (
        BillingRun,
        BillingRunResult,
        ConcludeBillingRun,
        InvoicedPage,
        InvoicePage,
        PlanBillingRun,
    )
    from contracts.common.queues import local_activity, regular_activity
    from workflows.common.batch import through_pages

#: How many pages one step invoices.
PAGES = 5
STEP_TIMEOUT = timedelta(hours=1)
#: The heartbeat timeout of a step.
HEARTBEAT = timedelta(seconds=30)


@workflow.defn(name="monthly-invoicing")
class MonthlyInvoicingWorkflow:
    """Invoices the oldest past month that is not invoiced yet, then the next one, until none is left.

    Messages: none; a schedule or an operator starts it. With `only`, no other month follows.
    Ends when: every due organization was invoiced, or is recorded as failed.
    Continues as new: when the server suggests it, with its progress; and for the next month.
    Compensates: nothing; an organization that was invoiced is not changed.
    """

    @workflow.run
    async def run(self, start: BillingRun | None = None) -> BillingRunResult:
        """Wait for late usage, and invoice page by page."""
        progress = start or BillingRun()
        if progress.ready_at is None:
            planned = await workflow.execute_local_activity_method(
                BillingRunActivities.plan,
                PlanBillingRun(now=workflow.now(), month=progress.month),
                **local_activity("plan the run"),
            )
            if planned.month is None or planned.ready_at is None:
                workflow.set_current_details(f"Nothing was invoiced: {planned.why}.")
                return BillingRunResult(skipped=planned.why)
            begun = {"month": planned.month, "ready_at": planned.ready_at, "left": planned.due}
            progress = progress.model_copy(update=begun)
        assert progress.ready_at is not None
        if progress.ready_at > workflow.now():
            workflow.set_current_details(
                f"{progress.month:%Y-%m} is not over, or late usage is waited for: "
                f"the run goes on at {progress.ready_at:%Y-%m-%d %H:%M} UTC."
            )
            await workflow.sleep(progress.ready_at - workflow.now())
        if progress.since is None:
            progress = progress.model_copy(update={"since": workflow.now()})
        done = await through_pages(progress, self._pages)
        assert done.month is not None
        result = await workflow.execute_activity_method(
            BillingRunActivities.conclude,
            ConcludeBillingRun(now=workflow.now(), month=done.month),
            **regular_activity(f"close the run of {done.month:%Y-%m}", timeout=STEP_TIMEOUT, heartbeat=HEARTBEAT),
        )
        workflow.set_current_details(render_result(result, done))
        if not progress.only:
            workflow.continue_as_new(BillingRun(limit=progress.limit))
        return result

    async def _pages(self, progress: BillingRun) -> InvoicedPage:
        assert progress.month is not None
        workflow.set_current_details(render_progress(progress))
        return await workflow.execute_activity_method(
            BillingRunActivities.invoice,
            InvoicePage(
                now=workflow.now(), month=progress.month, after=progress.after, limit=progress.limit, pages=PAGES
            ),
            **regular_activity(
                f"invoice {PAGES * progress.limit} organizations after {progress.after or 'the beginning'}",
                timeout=STEP_TIMEOUT,
                heartbeat=HEARTBEAT,
            ),
        )


def render_progress(run: BillingRun) -> str:
    """Render the run's progress for operators."""
    done = run.invoiced + run.empty
    return "\n".join(
        (
            f"Invoices of {run.month:%Y-%m}, since {run.since:%Y-%m-%d %H:%M} UTC",
            "",
            f"- due: {done + run.failed + run.left}",
            f"- done: {done}, of them {run.invoiced} invoiced and {run.empty} with nothing to pay",
            f"- left: {run.left}, after `{run.after or '-'}`",
            f"- **failed**: {run.failed}" + (", see the alerts `billing.invoice_failed`" if run.failed else ""),
        )
    )


def render_result(result: BillingRunResult, done: BillingRun) -> str:
    """Render the run's result for operators."""
    return render_progress(done) + (
        f"\n\nAll runs of the month: {result.invoiced} invoiced, {result.empty} with nothing to pay, "
        f"{result.failed} failed"
    )
