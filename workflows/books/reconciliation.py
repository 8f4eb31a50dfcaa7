"""ReconciliationWorkflow: compares one provider with the books; NightlyReconciliationWorkflow starts one for each."""

from datetime import timedelta
from functools import partial

from temporalio import workflow
from temporalio.exceptions import ActivityError, ChildWorkflowError, WorkflowAlreadyStartedError

with workflow.unsafe.imports_passed_through():
    from activities.books.reconciliation import ReconciliationActivities
    from contracts.books.reconciliation import (
        BeginReconciliation,
        FailReconciliation,
        FetchedStatement,
        NightlyReconciliationResult,
        PlanReconciliations,
        ReconciliationInput,
        ReconciliationResult,
        ReconciliationStep,
    )
    from contracts.common.queues import TASK_TIMEOUT, cut_summary, local_activity, regular_activity
    from domain.common.ids import reconciliation_workflow_id
    from workflows.common.batch import window

#: How long a provider may take for a statement, and how long it is retried.
STATEMENT_TIMEOUT = timedelta(hours=2)
GIVE_UP_AFTER = timedelta(hours=12)
#: The heartbeat timeout of a step.
HEARTBEAT = timedelta(minutes=1)
STEP_TIMEOUT = timedelta(hours=1)
#: How long the run of one provider may take at night, so that it has ended when the next night begins.
NIGHT_WITHIN = timedelta(hours=18)
#: How many providers are compared at once.
AT_ONCE = 10
#: How long payments have to refresh and settle what they can: five minutes in all.
PAUSES = tuple(timedelta(seconds=seconds) for seconds in (1, 4, 15, 40, 60, 180))


@workflow.defn(name="reconciliation")
class ReconciliationWorkflow:
    """Reads a provider's statement, lets payments settle what they can, and records the discrepancies that are left.

    Messages: none.
    Ends when: the report is written, or the provider did not answer for half a day.
    Continues as new: never; it takes a handful of steps.
    Compensates: nothing; the next run finds its discrepancies again, or closes them.
    """

    @workflow.run
    async def run(self, start: ReconciliationInput) -> ReconciliationResult:
        """Do one run."""
        await workflow.execute_local_activity_method(
            ReconciliationActivities.begin,
            BeginReconciliation(start=start, at=workflow.now()),
            **local_activity(f"begin {start.run_id}"),
        )
        self._show(start, "reading the statement")
        fetched = await self._fetch(start)
        refused = fetched.refused
        if refused is not None:
            self._show(start, f"**failed**: {refused}")
            return await workflow.execute_local_activity_method(
                ReconciliationActivities.fail,
                FailReconciliation(run_id=start.run_id, why=refused, at=workflow.now()),
                **local_activity(f"give up {start.run_id}"),
            )
        await self._refresh_payments(start)
        self._show(start, "recording the discrepancies")
        result = await workflow.execute_activity_method(
            ReconciliationActivities.conclude,
            self._step(start).model_copy(update={"unread": fetched.unread}),
            **regular_activity("record the discrepancies", timeout=STEP_TIMEOUT, heartbeat=HEARTBEAT),
        )
        differing = "1 open discrepancy" if result.differences == 1 else f"{result.differences} open discrepancies"
        without = f", **without {', '.join(part.subject for part in fetched.unread[:10])}**" if fetched.unread else ""
        self._show(start, f"compared {result.compared}, **{differing}**{without}")
        return result

    async def _fetch(self, start: ReconciliationInput) -> FetchedStatement:
        try:
            return await workflow.execute_activity_method(
                ReconciliationActivities.fetch_statement,
                self._step(start),
                **regular_activity(
                    f"read the statement of {start.provider}",
                    timeout=STATEMENT_TIMEOUT,
                    give_up_after=GIVE_UP_AFTER,
                    heartbeat=HEARTBEAT,
                ),
            )
        except ActivityError as error:
            return FetchedStatement(
                movements=0, refused=f"the statement could not be read: {error.cause or error}"[:500]
            )

    async def _refresh_payments(self, start: ReconciliationInput) -> None:
        """Have payments refresh where that may settle a discrepancy, and wait for them."""
        unsettled = await workflow.execute_activity_method(
            ReconciliationActivities.tell_payments,
            self._step(start),
            **regular_activity("have payments refreshed", timeout=STEP_TIMEOUT, heartbeat=HEARTBEAT),
        )
        left = unsettled.movements
        for pause in PAUSES:
            if not left:
                break
            self._show(start, f"{left} movements wait until their payments are refreshed")
            await workflow.sleep(pause, summary="payments are refreshed from their provider")
            counted = await workflow.execute_activity_method(
                ReconciliationActivities.count_unsettled,
                self._step(start),
                **regular_activity("count what is left", timeout=STEP_TIMEOUT, heartbeat=HEARTBEAT),
            )
            left = counted.movements

    def _step(self, start: ReconciliationInput) -> ReconciliationStep:
        return ReconciliationStep(run_id=start.run_id, at=workflow.now())

    def _show(self, start: ReconciliationInput, what: str) -> None:
        window = f"{start.since:%Y-%m-%d %H:%M} to {start.until:%Y-%m-%d %H:%M} UTC"
        workflow.set_current_details(f"{start.provider}, {window}\n\n- run `{start.run_id}`\n- {what}")


@workflow.defn(name="reconciliation-nightly")
class NightlyReconciliationWorkflow:
    """Starts a run for each provider, from the first gap in what was compared to the last midnight.

    Messages: none; a schedule starts it.
    Ends when: each of them has ended.
    Continues as new: never.
    Compensates: one that fails, or takes longer than `NIGHT_WITHIN`, is recorded with an alert, and does not stop the
        others.
    """

    @workflow.run
    async def run(self) -> NightlyReconciliationResult:
        """Start them all, and wait."""
        planned = await workflow.execute_local_activity_method(
            ReconciliationActivities.plan, PlanReconciliations(now=workflow.now()), **local_activity("plan the night")
        )
        nights = (partial(self._reconcile, start, planned.day) for start in planned.runs)
        done = await window(nights, at_once=AT_ONCE)
        for result in done:
            if isinstance(result, BaseException):
                raise result
        return NightlyReconciliationResult(
            runs=tuple(result for result in done if isinstance(result, ReconciliationResult))
        )

    async def _reconcile(self, start: ReconciliationInput, day: str) -> ReconciliationResult | None:
        try:
            return await workflow.execute_child_workflow(
                ReconciliationWorkflow.run,
                start,
                id=reconciliation_workflow_id(start.provider, day),
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
                static_summary=cut_summary(f"{start.provider}, up to {day}"),
                run_timeout=NIGHT_WITHIN,
                task_timeout=TASK_TIMEOUT,
            )
        except WorkflowAlreadyStartedError:
            workflow.logger.warning("a reconciliation runs already", extra={"run": start.run_id})
            return None
        except ChildWorkflowError as error:
            why = f"the run did not end by itself: {error.cause or error}"
            workflow.logger.warning("a reconciliation failed", extra={"run": start.run_id, "why": why})
        return await workflow.execute_local_activity_method(
            ReconciliationActivities.fail,
            FailReconciliation(run_id=start.run_id, why=why[:500], at=workflow.now(), start=start),
            **local_activity(f"give up {start.run_id}"),
        )
