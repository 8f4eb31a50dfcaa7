"""PayoutWorkflow: a payout from earnings to the creator's account, or its return to the earnings."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from temporalio import workflow
from temporalio.common import RawValue

from domain.common.errors import WrongPayoutState

with workflow.unsafe.imports_passed_through():
    from activities.payouts.payout import PayoutActivities
    from contracts.common.queues import local_activity
    from contracts.payouts.payout import (
        FundsAvailable,
        GiveUpPayout,
        LoadPayout,
        PayoutInput,
        PayoutResult,
        PayoutSignal,
        RecordPayout,
        SendPayout,
        SentPayout,
    )
    from domain.common.access import Actor
    from domain.common.agenda import Wait
    from domain.common.ids import bounded
    from domain.common.signals import SignalTarget
    from domain.payments.payment.snapshot import BalanceTransaction
    from domain.payouts.payout import commands as rules
    from domain.payouts.payout.agenda import AgendaStep, agenda
    from domain.payouts.payout.commands import with_receipt
    from domain.payouts.payout.presentation import details
    from domain.payouts.payout.state import FINAL, Outcome, Payout, PayoutStatus
    from workflows.common.books_entity import BooksEntity
    from workflows.common.errand import Errand, run
    from workflows.common.signals import NO_INPUT, read_signal, reason_of, sender

Decision = Callable[[Payout, datetime], Outcome]


@workflow.defn(name="payout")
class PayoutWorkflow(BooksEntity[PayoutInput, Payout, Outcome, PayoutResult]):
    """Sends a payout that was taken from the earnings, and books its outcome.

    It is looked up at the provider before each attempt, because a lost run may have sent it. While it waits for the
    platform's balance there or for a case, or its outcome is unknown, it is retried or looked up with growing pauses.

    Messages:
        update `give_up`: an operator states that it was not sent. Update `catch_up`: the books are ahead. Signal
        `funds_available`: the platform's balance at the provider has grown. Signals `look`, `give_up` from the
        Temporal UI; a refused one is recorded in the timeline. A cancellation request gives a payout up that waits
        for funds, and is refused otherwise.
    Ends when: it was sent, or returned to the earnings, and every handler has finished.
    Continues as new: when the server suggests it, from the state in the books.
    Compensates: a payout that was not sent is returned to the earnings.
    """

    @workflow.init
    def __init__(self, start: PayoutInput) -> None:
        """Start without a state; `run` loads it from the books."""
        nothing = Payout(
            payout_id=start.payout_id,
            org_id="",
            provider="",
            account_ref="",
            destination=None,
            currency="USD",
            amount_minor=0,
        )
        super().__init__(start, nothing)

    @workflow.run
    async def run(self, start: PayoutInput) -> PayoutResult:
        """Process the payout until it has ended."""
        await self._live(start)
        return self._result()

    # Messages: one declared method for each name on the wire, whose body is one call ----------------------------------

    @workflow.update(name="give_up")
    async def give_up(self, command: GiveUpPayout) -> PayoutResult:
        """Return it to the earnings, because an operator states that it was not sent."""
        return await self._answer(lambda: self._apply(command.command_id, self._given_up(command), command.actor))

    @give_up.validator
    def _validate_give_up(self, command: GiveUpPayout) -> None:
        self._check(command, lambda: self._judge(command))

    @workflow.signal(name="look")
    async def signal_look(self, given: RawValue = NO_INPUT) -> None:
        """Retry or look it up now."""
        await self._handle_signal("look", PayoutSignal, given, self._looked)

    @workflow.signal(name="give_up")
    async def signal_give_up(self, given: RawValue = NO_INPUT) -> None:
        """Return it to the earnings."""
        await self._handle_signal("give_up", PayoutSignal, given, self._signalled)

    @workflow.signal(name="funds_available")
    async def signal_funds_available(self, given: RawValue = NO_INPUT) -> None:
        """Retry it soon, if it waits for funds."""
        await self._woken(given)

    async def _woken(self, given: RawValue) -> None:
        """Handle the signal under the lock; of several signals during an attempt, only one is handled."""
        heard = read_signal(workflow.payload_converter(), FundsAvailable, given)
        if heard is None:
            await self._refuse_malformed("funds_available")
            return

        def decide(payout: Payout, now: datetime) -> Outcome:
            return rules.funds_available(payout, now, place=heard.place, event_id=heard.event_id)

        with suppress(WrongPayoutState):
            await self._turn(lambda: self._apply(bounded(f"event:{heard.event_id}"), decide, None))

    # Decisions: what a command does to the state that holds when its turn comes ---------------------------------------

    def _given_up(self, command: GiveUpPayout) -> Decision:
        return lambda payout, _now: rules.given_up(payout, actor=command.actor.qualified(), reason=command.reason)

    def _judge(self, command: GiveUpPayout) -> None:
        if not self._state.has_done(command.command_id):
            self._given_up(command)(self._state, workflow.now())

    def _looked(self, signal: PayoutSignal) -> Decision:
        actor = sender(signal).qualified()
        return self._addressed("look", signal, lambda payout, now: rules.retried_now(payout, now, actor=actor))

    def _signalled(self, signal: PayoutSignal) -> Decision:
        actor, reason = sender(signal).qualified(), reason_of(signal.reason)
        return self._addressed(
            "give_up", signal, lambda payout, _now: rules.given_up(payout, actor=actor, reason=reason)
        )

    # What the base asks for -------------------------------------------------------------------------------------------

    async def _load(self, why: str) -> Payout:
        return await workflow.execute_local_activity_method(
            PayoutActivities.load, LoadPayout(payout_id=self._start.payout_id), **local_activity(why)
        )

    async def _write_next(
        self,
        event: Outcome,
        command_id: str,
        actor: Actor | None,
        content: str | None = None,  # noqa: ARG002 - receipts alone tell commands apart
    ) -> bool:
        return await self._write(event, command_id, actor, None)

    async def _write(
        self, event: Outcome, command_id: str, actor: Actor | None, movement: BalanceTransaction | None
    ) -> bool:
        following = with_receipt(event, command_id)
        message = RecordPayout(
            outcome=following,
            command_id=command_id,
            actor=actor,
            at=workflow.now(),
            decided_from=self._decided_from(),
            movement=movement,
        )
        before = self._state.status.value
        recorded = await workflow.execute_local_activity_method(
            PayoutActivities.record, message, **local_activity(f"{following.event}: {before} → {event.payout.status}")
        )
        self._written(recorded, following.payout)
        return recorded.applied

    async def _advance(self) -> None:
        """Send it or look it up, or wait until that is due or a message arrives."""
        await self._turn(self._act)
        item, version = agenda(self._state, workflow.now()), self._state.version
        if isinstance(item, Wait):
            with suppress(TimeoutError):
                await workflow.wait_condition(
                    lambda: self._state.version != version or self._should_continue_as_new(),
                    timeout=item.until - workflow.now(),
                    timeout_summary=item.why,
                )

    async def _act(self) -> None:
        """Call the provider under the lock, so that the payout is not given up while it is being sent."""
        if not isinstance(agenda(self._state, workflow.now()), AgendaStep):
            return
        sending = self._state
        answer = await run(
            Errand(
                make=PayoutActivities.send,
                find=PayoutActivities.find,
                message=SendPayout(payout=sending),
                summary=f"send {sending.payout_id} to {sending.account_ref}",
            ),
            perhaps_made=True,
        )
        outcome, movement = _outcome_of(sending, answer, workflow.now())
        await self._write(outcome, f"workflow:{outcome.event}:{sending.version}", None, movement)

    def _has_ended(self) -> bool:
        return self._state.version > 0 and self._state.status in FINAL

    def _shown(self) -> str:
        return details(self._state)

    def _signal_target(self, held: Payout) -> SignalTarget:
        return SignalTarget(kind="payout", id=held.payout_id, state=held.status.value, asks_for_name=True)

    def _result(self) -> PayoutResult:
        state = self._state
        return PayoutResult(payout_id=state.payout_id, status=state.status.value, version=state.version)

    def _noting(self, note: dict[str, object], actor: Actor) -> Decision:
        return lambda payout, _now: Outcome(
            payout=payout, event="command_refused", actor=actor.qualified(), details=note
        )

    async def _cancel_requested(self) -> None:
        signal = PayoutSignal()

        def decide(payout: Payout, _now: datetime) -> Outcome:
            if payout.status is not PayoutStatus.WAITING_FOR_FUNDS:
                raise WrongPayoutState(
                    "Only a payout that waits for funds is given up by a cancellation.",
                    extra={"state": payout.status.value},
                )
            return rules.given_up(payout, actor="cancellation", reason="The run was cancelled.")

        await self._carry_out("give_up", signal, decide, "cancellation")


def _outcome_of(sending: Payout, answer: SentPayout | None, now: datetime) -> tuple[Outcome, BalanceTransaction | None]:
    """Return the payout's outcome from a response, and the balance transaction."""
    if answer is None:
        return rules.unanswered(sending, now), None
    if answer.unknown:
        detail = None if answer.refused is None else answer.detail
        return rules.unanswered(sending, now, code=answer.refused, detail=detail), None
    if answer.held_until is not None:
        return rules.held(sending, now, until=answer.held_until, case_id=answer.detail or ""), None
    if answer.short:
        return rules.funds_short(sending, now), None
    if answer.transfer_ref is not None:
        return rules.sent(sending, transfer_ref=answer.transfer_ref), answer.movement
    code, detail = answer.refused or "provider.refused", answer.detail or "The provider refused it."
    if sending.status is PayoutStatus.UNKNOWN:
        return rules.refused(sending, now, code=code, detail=detail), None
    return rules.failed(sending, code=code, detail=detail), None
