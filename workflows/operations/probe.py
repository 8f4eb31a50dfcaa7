"""ProbeWorkflow: plays a customer by schedule, and reports which step failed and how long each took."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, TimeoutError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.operations.probe import ProbeActivities
    from contracts.common.queues import local_activity, regular_activity
    from contracts.operations.probe import (
        PrepareProbe,
        ProbeResult,
        ProbeStep,
        ProbeStepResult,
        ProbeStepTime,
        ReportProbe,
        TidyProbe,
    )
    from domain.common.text import as_markdown
    from runtime.interceptors import domain_error_from

Asked = TypeVar("Asked")
Done = TypeVar("Done")
#: The time limits of one attempt of a step and of all attempts: what takes longer counts as down.
ATTEMPT, STEP = timedelta(seconds=25), timedelta(seconds=60)
#: Cleaning up may take longer, because it keeps the probe's books bounded.
TIDYING = timedelta(minutes=5)
#: The steps of an escrow, each a command of its own.
ESCROW_STEPS = ("open", "fund", "deliver", "release")
#: How many characters of an error are reported.
LONGEST_WHY = 300


@workflow.defn(name="probe")
class ProbeWorkflow:
    """One organization of the probe pays one credit to the other's agent, and buys credits with a test card.

    Messages: none; a schedule starts it.
    Ends when: every step succeeded, or one failed.
    Continues as new: never; it has some twelve steps.
    Compensates: what a failed step left open is cancelled or refunded, and earnings are converted to credits. The next
        run cleans up the rest.
    """

    def __init__(self) -> None:
        self._steps: list[ProbeStepTime] = []
        self._failed: str | None = None
        self._why: str | None = None

    @workflow.run
    async def run(self) -> ProbeResult:
        """Do every step, clean up, and report."""
        try:
            await self._play()
        except ActivityError:
            # The run was cancelled. Not `finally`, which also runs when a run is evicted from the worker's cache.
            await self._tidy()
            raise
        await self._tidy()
        await self._report()
        return ProbeResult(steps=tuple(self._steps), failed=self._failed, why=self._why)

    async def _play(self) -> None:
        run = workflow.info().workflow_id
        parties = await self._step("prepare", ProbeActivities.prepare, PrepareProbe(run=run))
        if parties is None:
            return
        step = ProbeStep(run=run, step="award", parties=parties)
        knock = step.model_copy(update={"step": "knock"})
        if parties.knocks and await self._step("knock", ProbeActivities.knock, knock) is None:
            return
        made = await self._step("award", ProbeActivities.award, step)
        if made is None:
            return
        step = step.model_copy(update={"contract_id": made.contract_id})
        for name in ESCROW_STEPS:
            if await self._step(name, ProbeActivities.command, step.model_copy(update={"step": name})) is None:
                return
        if not parties.pays:
            return
        paid = await self._step("pay", ProbeActivities.pay, step.model_copy(update={"step": "pay"}))
        if paid is not None:
            refund = step.model_copy(update={"step": "refund", "payment_id": paid.payment_id})
            await self._step("refund", ProbeActivities.refund, refund)

    async def _tidy(self) -> None:
        message = TidyProbe(run=workflow.info().workflow_id)
        await self._step("tidy", ProbeActivities.tidy, message, within=TIDYING)

    async def _step(
        self,
        name: str,
        method: Callable[[ProbeActivities, Asked], Awaitable[Done]],
        message: Asked,
        *,
        within: timedelta = STEP,
    ) -> Done | None:
        """Do a step and record how long it took; returns None if it failed, and records the failure.

        Raises:
            ActivityError: the run is cancelled.
        """
        began, options = workflow.now(), regular_activity(f"probe: {name}", timeout=ATTEMPT, give_up_after=within)
        done: Done | None = None
        why: str | None = None
        try:
            done = await workflow.execute_activity_method(method, message, **options)
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            why = reason(error)
        if isinstance(done, ProbeStepResult) and done.why is not None:
            why = done.why
        took = workflow.now() - began
        self._steps.append(ProbeStepTime(step=name, ms=took // timedelta(milliseconds=1)))
        meter = workflow.metric_meter()
        meter.create_histogram_timedelta("bursar_probe_step_duration", "How long a step of the probe took.").record(
            took, {"step": name, "outcome": "ok" if why is None else "failed"}
        )
        if why is not None and self._failed is None:
            self._failed, self._why = name, why
        workflow.set_current_details(self._details())
        return done if why is None else None

    async def _report(self) -> None:
        meter, outcome = workflow.metric_meter(), "ok" if self._failed is None else "failed"
        meter.create_counter("bursar_probe_runs", "Runs of the probe.").add(1, {"outcome": outcome})
        message = ReportProbe(run=workflow.info().workflow_id, step=self._failed, why=self._why)
        options = local_activity("report what the probe found")
        await workflow.execute_local_activity_method(ProbeActivities.report, message, **options)

    def _details(self) -> str:
        """Render the run's progress for operators."""
        lines = [f"- {each.step}: {each.ms} ms" for each in self._steps]
        if self._failed is not None:
            lines += ["", f"**Failed at {self._failed}**: {as_markdown(self._why or '')}"]
        return "\n".join(lines)


def reason(error: BaseException) -> str:
    """Say why a step failed: the refusal, or the last attempt's error before the time limit."""
    refusal = domain_error_from(error)
    if refusal is not None:
        return f"{refusal.error_code}: {refusal.detail}"[:LONGEST_WHY]
    words: list[str] = []
    cause: BaseException | None = error.__cause__
    while cause is not None:
        text = "it took too long" if isinstance(cause, TimeoutError) else str(cause)
        if text not in words:
            words.append(text)
        cause = cause.__cause__
    return (", ".join(words) or str(error))[:LONGEST_WHY]
