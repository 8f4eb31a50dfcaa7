"""SubscriptionWorkflow: one subscription, from its creation to its end."""

from collections.abc import Callable
from datetime import datetime

from temporalio import workflow
from temporalio.common import RawValue

from domain.common.errors import SubscriptionExists

with workflow.unsafe.imports_passed_through():
    from contracts.billing.subscription import (
        CancelSubscription,
        ChangeSubscription,
        ResumeSubscription,
        Subscribe,
        SubscriptionCommand,
        SubscriptionEventSignal,
        SubscriptionInput,
        SubscriptionResult,
        SubscriptionSignal,
    )
    from domain.billing.subscription import commands
    from domain.billing.subscription.given_up import give_up
    from domain.billing.subscription.state import Subscription, Transition
    from domain.common.signals import SignalTarget
    from workflows.billing.subscription_run import Decision, SubscriptionRun
    from workflows.common.signals import NO_INPUT, check_addressed, reason_of, sender


@workflow.defn(name="subscription")
class SubscriptionWorkflow(SubscriptionRun):
    """A subscription, which is read again at the provider after each event; only changes are booked.

    Messages:
        updates `subscribe`, `change`, `cancel`, `resume`: commands of the API. Update `catch_up`: the books are ahead.
        Signals `provider_event`: the provider has news. Signals `cancel`, `look`, `give_up` from the Temporal UI; a
        refused one is recorded in the timeline. A cancellation request is a `cancel`.
    Ends when: it has ended at the provider, or was never created there, and every handler has answered.
    Continues as new: when the server suggests it, from what the books hold.
    Compensates: a declined change leaves the earlier terms; an upgrade whose invoice is not paid is undone at the
        provider.
    """

    @workflow.init
    def __init__(self, start: SubscriptionInput) -> None:
        """Restore the state, or prepare the one that `run` writes first."""
        super().__init__(start)

    @workflow.run
    async def run(self, start: SubscriptionInput) -> SubscriptionResult:
        """Create it at the provider, then follow it there until it has ended."""
        await self._live(start)
        return self._result()

    # Commands ---------------------------------------------------------------------------------------------------------

    @workflow.update(name="subscribe")
    async def subscribe(self, command: Subscribe) -> SubscriptionResult:
        """Return once it is known whether the provider has created it."""
        return await self._subscribed(command)

    @subscribe.validator
    def _validate_subscribe(self, command: Subscribe) -> None:
        self._check(command, lambda: self._refuse_another(command))

    @workflow.update(name="change")
    async def change(self, command: ChangeSubscription) -> SubscriptionResult:
        """Change the plan or interval; returns once the provider has confirmed or declined."""
        return await self._ordered(command, self._changed(command))

    @change.validator
    def _validate_change(self, command: ChangeSubscription) -> None:
        self._validated(command, lambda: self._changed(command))

    @workflow.update(name="cancel")
    async def cancel(self, command: CancelSubscription) -> SubscriptionResult:
        """Cancel it now, or at the end of its period."""
        return await self._ordered(command, self._cancelled(command))

    @cancel.validator
    def _validate_cancel(self, command: CancelSubscription) -> None:
        self._validated(command, lambda: self._cancelled(command))

    @workflow.update(name="resume")
    async def resume(self, command: ResumeSubscription) -> SubscriptionResult:
        """Revoke a change or cancellation that is due at the end of the period."""
        return await self._ordered(command, self._resumed(command))

    @resume.validator
    def _validate_resume(self, command: ResumeSubscription) -> None:
        self._validated(command, lambda: self._resumed(command))

    # Signals ----------------------------------------------------------------------------------------------------------

    @workflow.signal(name="provider_event")
    async def signal_provider_event(self, given: RawValue = NO_INPUT) -> None:
        """Refresh the subscription: the content of a provider's event is not used."""
        await self._handle_fact("provider_event", SubscriptionEventSignal, given, self._note_event)

    @workflow.signal(name="look")
    async def signal_look(self, given: RawValue = NO_INPUT) -> None:
        """Refresh the subscription now."""
        await self._handle_fact("look", SubscriptionSignal, given, self._note_look)

    @workflow.signal(name="cancel")
    async def signal_cancel(self, given: RawValue = NO_INPUT) -> None:
        """Cancel it now, in the name of an operator."""
        await self._handle_signal("cancel", SubscriptionSignal, given, self._cancelled_by_signal)

    @workflow.signal(name="give_up")
    async def signal_give_up(self, given: RawValue = NO_INPUT) -> None:
        """Drop a request with an unknown outcome, because an operator confirms that it was not executed."""
        await self._handle_signal("give_up", SubscriptionSignal, given, self._given_up)

    def _note_event(self, signal: SubscriptionEventSignal) -> None:
        if signal.event_id not in self._events:
            self._events.append(signal.event_id)

    def _note_look(self, _signal: SubscriptionSignal) -> None:
        self._look_wanted = True

    # Decisions --------------------------------------------------------------------------------------------------------

    def _changed(self, command: ChangeSubscription) -> Decision:
        def decide(held: Subscription, now: datetime) -> Transition:
            # Providers count whole seconds.
            shown = commands.preview(held, command.plans, command.terms, command.people, now.replace(microsecond=0))
            actor = command.actor.qualified()
            return commands.order_change(held, shown, command.command_id, actor=actor, most_minor=command.most_minor)

        return decide

    def _cancelled(self, command: CancelSubscription) -> Decision:
        return lambda held, _now: commands.order_cancel(
            held, command.command_id, at_period_end=command.at_period_end, actor=command.actor.qualified()
        )

    def _resumed(self, command: ResumeSubscription) -> Decision:
        return lambda held, now: commands.order_resume(
            held, command.command_id, actor=command.actor.qualified(), at=now
        )

    def _given_up(self, signal: SubscriptionSignal) -> Decision:
        def decide(held: Subscription, now: datetime) -> Transition:
            check_addressed(_result_of(held, asks_for_name=True), "give_up", signal, subject=signal.give_up)
            by = sender(signal).qualified()
            return give_up(held, actor=by, reason=reason_of(signal.reason), at=now)

        return decide

    def _cancelled_by_signal(self, signal: SubscriptionSignal, unnamed: str = "operator") -> Decision:
        def decide(held: Subscription, _now: datetime) -> Transition:
            check_addressed(_result_of(held, asks_for_name=False), "cancel", signal, subject=signal.cancel)
            order = f"signal:{held.version + 1}"
            by = sender(signal, unnamed).qualified()
            return commands.order_cancel(held, order, at_period_end=False, actor=by)

        return decide

    async def _subscribed(self, command: Subscribe) -> SubscriptionResult:
        await self._answer_when(self._is_answered)
        if self._not_begun is not None:
            raise self._not_begun
        return self._answer_to(command.command_id)

    def _is_answered(self) -> bool:
        is_made = self._state.version > 0 and self._state.order is None
        return is_made or self._leaving or self._not_begun is not None

    async def _ordered(self, command: SubscriptionCommand, decide: Decision) -> SubscriptionResult:
        """Record a request, and return once the provider has confirmed or declined it."""
        await self._answer(lambda: self._apply(command.command_id, decide, command.actor))
        await workflow.wait_condition(lambda: self._leaving or not self._awaits(command.command_id))
        return self._answer_to(command.command_id)

    def _awaits(self, command_id: str) -> bool:
        return self._state.order is not None and self._state.order.command_id == command_id

    def _answer_to(self, command_id: str) -> SubscriptionResult:
        return self._result().model_copy(update={"declined": self._refusals.get(command_id)})

    def _validated(self, command: SubscriptionCommand, decide: Callable[[], Decision]) -> None:
        def judge() -> None:
            if not self._state.has_done(command.command_id):
                decide()(self._state, workflow.now())

        self._check(command, judge)

    def _refuse_another(self, command: Subscribe) -> None:
        # A run that resumes was started by another command, and its first task has yet to read the books.
        if command.command_id not in {self._start.command_id, *self._state.receipts}:
            raise SubscriptionExists("There is a subscription with this id already.")

    async def _cancel_requested(self) -> None:
        signal = SubscriptionSignal()
        cancelled = self._cancelled_by_signal(signal, "cancellation")
        await self._carry_out("cancel", signal, cancelled, "cancellation")


def _result_of(held: Subscription, *, asks_for_name: bool) -> SignalTarget:
    return SignalTarget(
        kind="subscription", id=held.subscription_id, state=held.status.value, asks_for_name=asks_for_name
    )
