"""EscalationWorkflow: notifies one group after the other of an alert, until someone acknowledges it."""

from contextlib import suppress

from temporalio import workflow
from temporalio.common import RawValue

with workflow.unsafe.imports_passed_through():
    from activities.messages.escalation import EscalationActivities
    from contracts.common import search_attributes
    from contracts.common.queues import local_activity
    from contracts.messages.escalation import (
        AcknowledgeAlert,
        EscalationInput,
        EscalationResult,
        EscalationSignal,
        LoadAlert,
        TakeStep,
    )
    from domain.common.agenda import Wait
    from domain.common.errors import DomainError
    from domain.common.signals import SignalTarget
    from domain.messages.alert.escalation import EscalatedAlert, EscalationStep, agenda
    from domain.messages.alert.life import AlertStatus
    from domain.messages.alert.presentation import details
    from workflows.common.signals import NO_INPUT, check_addressed, malformed, read_signal, sender


@workflow.defn(name="escalation")
class EscalationWorkflow:
    """Takes each step of an alert's ladder when it is due, unless the database says that the alert was answered.

    Messages:
        signal `acknowledge` of operators; a refused one is shown. Signal `news`: the alert was answered or snoozed.
    Ends when: the alert is acknowledged by its recipients, or resolved, or the last step was taken, and every signal is
        handled.
    Continues as new: when the server suggests it, with the steps that were taken.
    Compensates: nothing.
    """

    @workflow.init
    def __init__(self, start: EscalationInput) -> None:
        """Restore the steps that were taken."""
        self._start = start
        self._taken = list(start.taken)
        self._case: EscalatedAlert | None = None
        self._signals: list[EscalationSignal | None] = []
        self._news = False
        self._refused: str | None = None

    @workflow.run
    async def run(self, start: EscalationInput) -> EscalationResult:
        """Take steps until the alert is answered."""
        while True:
            while self._signals:
                await self._acknowledge(self._signals.pop(0))
            self._news = False
            case = await self._look()
            if case is None:
                return self._end("gone")
            item = agenda(case, self._taken, workflow.now())
            if item is None:
                if self._signals:
                    continue
                return self._end("unanswered" if case.status is AlertStatus.FIRING else case.status.value)
            if workflow.info().is_continue_as_new_suggested() and not self._signals:
                workflow.continue_as_new(start.model_copy(update={"taken": tuple(self._taken)}))
            if isinstance(item, Wait):
                with suppress(TimeoutError):
                    await workflow.wait_condition(
                        lambda: self._news or bool(self._signals),
                        timeout=item.until - workflow.now(),
                        timeout_summary=item.why,
                    )
            else:
                await self._take(item)

    @workflow.signal(name="acknowledge")
    def signal_acknowledge(self, given: RawValue = NO_INPUT) -> None:
        """Acknowledge the alert."""
        self._signals.append(read_signal(workflow.payload_converter(), EscalationSignal, given))

    @workflow.signal(name="news")
    def signal_news(self, _given: RawValue = NO_INPUT) -> None:
        """Read the alert again."""
        self._note_news()

    def _note_news(self) -> None:
        self._news = True

    async def _look(self) -> EscalatedAlert | None:
        seen = await workflow.execute_local_activity_method(
            EscalationActivities.look,
            LoadAlert(alert_id=self._start.alert_id),
            **local_activity("read whether the alert was answered"),
        )
        self._case = seen.case
        self._show()
        return seen.case

    async def _take(self, step: EscalationStep) -> None:
        await workflow.execute_local_activity_method(
            EscalationActivities.take,
            TakeStep(alert_id=self._start.alert_id, step=step.name),
            **local_activity(f"call {step}"),
        )
        # Once the last step was taken, the alert is not read again.
        self._taken.append(step.name)

    async def _acknowledge(self, signal: EscalationSignal | None) -> None:
        try:
            if signal is None:
                raise malformed("acknowledge")
            state = "firing" if self._case is None else self._case.status.value
            reached = SignalTarget(kind="alert", id=self._start.alert_id, state=state, asks_for_name=True)
            check_addressed(reached, "acknowledge", signal, subject=signal.acknowledge)
        except DomainError as refusal:
            self._refused = refusal.detail
            return
        done = await workflow.execute_local_activity_method(
            EscalationActivities.acknowledge,
            AcknowledgeAlert(alert_id=self._start.alert_id, actor=sender(signal)),
            **local_activity("an operator acknowledges it"),
        )
        self._refused = None if done.declined is None else done.declined.detail
        self._taken += [step for step in done.called if step not in self._taken]

    def _show(self) -> None:
        if self._case is not None:
            workflow.set_current_details(details(self._case, self._taken, self._refused))

    def _end(self, outcome: str) -> EscalationResult:
        workflow.upsert_search_attributes([search_attributes.STATE.value_set(outcome)])
        return EscalationResult(outcome=outcome, taken=tuple(self._taken))
