"""The steps of a payment's run; `workflows/payments/payment.py` adds commands and signals."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from domain.common.agenda import Wait
    from domain.payments.payment import commands
    from domain.payments.payment.agenda import (
        POLL,
        AgendaInput,
        AgendaStep,
        after_step,
        agenda,
        due_steps,
        has_unknown_outcome,
        retry_at,
    )
    from domain.payments.payment.fulfilment import is_underpaid
    from workflows.payments.payment_fulfilment import PaymentFulfilment
    from workflows.payments.payment_refunds import PaymentRefunds


class PaymentRun(PaymentRefunds, PaymentFulfilment):
    """The steps of a payment's run: each is done under the lock, one at a time."""

    async def _advance(self) -> None:
        """Take the next step of the agenda, or wait until there is one."""
        await self._turn(self._take_step)
        item = self._next()
        if isinstance(item, Wait):
            await self._wait(item)

    async def _take_step(self) -> None:
        item = self._next()
        if isinstance(item, AgendaStep):
            known = self._progress()
            await self._do(item)
            self._taken(item, progressed=self._progress() != known)

    def _next(self) -> AgendaStep | Wait:
        return agenda(self._state, workflow.now(), self._seen())

    def _seen(self) -> AgendaInput:
        return replace(
            self._tried,
            wants_refresh=bool(self._events) or self._refresh_wanted,
            asked=self._question is not None and not self._question.task.done(),
            answered=self._has_answer(),
            lookups=self._lookups,
            polls=self._polls,
            polled_at=self._polled_at,
        )

    def _taken(self, step: AgendaStep, *, progressed: bool) -> None:
        """Let a step give way to others; one that is due again unchanged is held back for a while."""
        looks_again = step is not AgendaStep.REFRESH or self._state.unknown
        stays = step in due_steps(self._state, workflow.now(), self._seen()) and looks_again
        in_vain = stays and (not progressed or has_unknown_outcome(self._state))
        held = retry_at(workflow.now(), self._lookups) if in_vain else None
        self._tried = after_step(self._tried, step, hold_until=held)

    async def _do(self, step: AgendaStep) -> None:
        calls: dict[AgendaStep, Callable[[], Awaitable[None]]] = {
            AgendaStep.RECORD_ANSWER: self._record_answer,
            AgendaStep.END_UNCREATED: self._end_uncreated,
            AgendaStep.SUBMIT: self._submit,
            AgendaStep.RETURN: self._return_cancelled,
            AgendaStep.CANCEL: self._cancel_as_requested,
            AgendaStep.SUBMIT_REFUNDS: self._submit_refunds,
            AgendaStep.REFRESH: self._refresh,
            AgendaStep.FULFIL: self._fulfil,
            AgendaStep.EXPIRE: self._expire,
        }
        if step is AgendaStep.FREEZE:
            self._ask_escrow(step)
        else:
            await calls[step]()

    async def _wait(self, wait: Wait) -> None:
        """Wait for news, a command, the escrow's answer, or the time at which something is due."""
        if self._has_ended() or self._should_continue_as_new():
            return
        known = self._news()
        try:
            await workflow.wait_condition(
                # Earlier news could not be handled yet, and must not wake the run again.
                lambda: self._news() != known or self._should_continue_as_new(),
                timeout=max(wait.until - workflow.now(), timedelta(0)),
                timeout_summary=f"{self._state.status.value}: {wait.why}",
            )
            self._polls, held = 0, {}
        except TimeoutError:
            held = {step: until for step, until in self._tried.held.items() if until > wait.until}
            if wait.why == POLL:
                self._polls += 1
                self._refresh_wanted = self._state.ref is not None
        self._tried = replace(self._tried, held=held)

    async def _expire(self) -> None:
        """Cancel an expired payment, at the provider first; money that still arrives is booked as usual."""
        over = commands.expiring(self._state, at=workflow.now())
        if over is None:
            if is_underpaid(self._state):
                await self._fulfil(in_part=True)
            return
        await self._record([over])
        await self._refresh()
