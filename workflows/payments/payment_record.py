"""The state of a payment's run, and its writes; `workflows/payments/payment_run.py` adds the steps."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.payments.payment import PaymentActivities
    from contracts.common.queues import local_activity
    from contracts.payments.payment import (
        EscrowFreezing,
        EscrowFunding,
        LoadPayment,
        PaymentCommandResult,
        PaymentEvent,
        PaymentInput,
        RecordPayment,
    )
    from domain.common.access import Actor
    from domain.payments.payment import commands
    from domain.payments.payment.agenda import AgendaInput, AgendaStep
    from domain.payments.payment.fulfilment import fulfilment_due, is_awaited
    from domain.payments.payment.presentation import details
    from domain.payments.payment.state import Outcome, Payment, PaymentStatus
    from workflows.common.entity import Entity


#: The action of a signal, called with its command id and its sender.
SignalAction = Callable[[str, Actor], Awaitable[None]]
#: An escrow's answer.
EscrowAnswer = EscrowFunding | EscrowFreezing


@dataclass
class EscrowQuestion:
    """A question to an escrow, and the task that waits for its answer."""

    step: AgendaStep
    task: "asyncio.Task[EscrowAnswer]"


class PaymentRecord(Entity[PaymentInput, Payment, Outcome, SignalAction, PaymentCommandResult]):
    """The state of a payment's run, and the only way it is written."""

    def __init__(self, start: PaymentInput) -> None:
        """Restore the state, or prepare the one that is written first."""
        self._opening = commands.created(start.terms, actor=start.created_by)
        super().__init__(start, replace(self._opening.payment, version=0))
        self._events: list[str] = list(start.events)
        self._lookups = 0
        self._polls = 0
        self._refresh_wanted = start.look
        self._tried = AgendaInput()
        self._polled_at: datetime | None = None
        self._question: EscrowQuestion | None = None

    async def _open(self) -> None:
        await self._record([self._opening], command_id=self._start.command_id, actor=self._start.created_by)

    async def _load(self, why: str) -> Payment:
        return await workflow.execute_local_activity_method(
            PaymentActivities.load, LoadPayment(payment_id=self._state.terms.payment_id), **local_activity(why)
        )

    async def _write_next(
        self,
        event: Outcome,
        command_id: str,
        actor: Actor | None,
        content: str | None = None,  # noqa: ARG002
    ) -> bool:
        return await self._record([event], command_id=command_id, actor=actor)

    async def _record(
        self,
        outcomes: Sequence[Outcome],
        *,
        handled: Sequence[str] = (),
        command_id: str | None = None,
        actor: Actor | None = None,
    ) -> bool:
        """Write events in one transaction and adopt the books' state; returns whether these events were written."""
        at = workflow.now()
        if command_id is not None:
            outcomes = [*outcomes[:-1], commands.with_receipt(outcomes[-1], command_id)]
        events = tuple(
            PaymentEvent.of(outcome, at=at, actor=actor, command_id=command_id)
            if outcome is outcomes[-1]
            else PaymentEvent.of(outcome, at=at)
            for outcome in outcomes
        )
        terms = self._state.terms
        message = RecordPayment(
            payment_id=terms.payment_id,
            provider=terms.provider,
            events=events,
            handled=tuple(handled),
            at=at,
            decided_from=self._decided_from(),
        )
        what = ", ".join(outcome.event for outcome in outcomes) or "nothing new"
        recorded = await workflow.execute_local_activity_method(
            PaymentActivities.record, message, **local_activity(what)
        )
        self._written(recorded)
        if recorded.applied and handled:
            self._events = [event for event in self._events if event not in set(handled)]
        return recorded.applied

    # What is known ----------------------------------------------------------------------------------------------------

    def _is_answered(self) -> bool:
        """Whether `create` can return: credits and stored methods are charged at once."""
        payment = self._state
        if self._leaving:
            return True
        return payment.version > 1 and payment.status is not PaymentStatus.CREATED and not fulfilment_due(payment)

    def _progress(self) -> tuple[int, int, bool, bool]:
        return self._state.version, len(self._events), self._refresh_wanted, self._question is not None

    def _has_answer(self) -> bool:
        return self._question is not None and self._question.task.done()

    def _news(self) -> tuple[int, int, bool, bool]:
        return self._state.version, len(self._events), self._refresh_wanted, self._has_answer()

    def _has_ended(self) -> bool:
        payment = self._state
        if (
            payment.version == 0
            or is_awaited(payment)
            or self._events
            or self._refresh_wanted
            or self._question is not None
        ):
            return False
        return workflow.now() >= self._closes_at()

    def _closes_at(self) -> datetime:
        return self._state.updated_at + timedelta(seconds=self._state.terms.open_seconds)

    def _has_more(self) -> bool:
        return bool(self._events)

    def _carried(self) -> dict[str, object]:
        return {"events": tuple(self._events), "look": self._refresh_wanted}

    def _details(self) -> str:
        return details(self._state)

    def _result(self) -> PaymentCommandResult:
        state = self._state
        return PaymentCommandResult(payment_id=state.terms.payment_id, status=state.status.value, version=state.version)
