"""How a payment's run fulfils its purpose, and freezes an escrow whose payment is charged back."""

import asyncio
from typing import assert_never

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.escrow.payment_escrows import PaymentEscrows
    from contracts.common.queues import regular_activity
    from contracts.payments.payment import EscrowFreezing, EscrowFunding, FundEscrowFromPayment
    from domain.common.errors import DomainError
    from domain.common.ids import refund_id_of
    from domain.payments.payment import refunds
    from domain.payments.payment.agenda import AgendaStep, after_step, retry_at
    from domain.payments.payment.fulfilment import fulfil, is_ready
    from domain.payments.payment.purposes import escrow
    from domain.payments.payment.purposes.base import AskEscrow, BookFulfilment, ReturnMoney
    from domain.payments.payment.state import Fulfilment
    from workflows.common.errand import CALL_TIMEOUT
    from workflows.payments.payment_record import EscrowAnswer, EscrowQuestion, PaymentRecord


class PaymentFulfilment(PaymentRecord):
    """Fulfilment of a payment. The caller holds the lock, and no escrow is waited for under it."""

    async def _fulfil(self, *, in_part: bool = False) -> None:
        """Fulfil the purpose, or return what cannot be fulfilled; an escrow is asked outside of the lock."""
        way = fulfil(self._state, at=workflow.now(), in_part=in_part)
        match way:
            case AskEscrow():
                if not self._state.fulfilling:
                    await self._record([escrow.fulfilment_started(self._state, at=workflow.now())])
                if self._state.fulfilling:
                    self._ask_escrow(AgendaStep.FULFIL)
            case BookFulfilment(event=event, refused_by=code):
                try:
                    await self._record([event])
                except DomainError as refusal:
                    if refusal.error_code != code:
                        raise
                    await self._fulfilment_unavailable(refusal.detail)
            case ReturnMoney(failed=True, why=why):
                refund_id, now = self._refund_of_purpose(), workflow.now()
                await self._record([refunds.fulfilment_failed(self._state, refund_id=refund_id, at=now, why=why)])
            case ReturnMoney(why=why):
                await self._fulfilment_unavailable(why)
            case _:
                assert_never(way)

    def _ask_escrow(self, step: AgendaStep) -> None:
        """Ask the escrow in a task outside of the lock: it may be slow, and other steps are due meanwhile."""
        self._question = EscrowQuestion(step, asyncio.create_task(self._call_escrow(step)))

    async def _call_escrow(self, step: AgendaStep) -> EscrowAnswer:
        # An earlier run may have asked. Money that was refunded or disputed since no longer fulfils anything.
        stale = step is AgendaStep.FULFIL and not is_ready(self._state)
        ask = FundEscrowFromPayment(terms=self._state.terms, only_look=stale)
        if step is AgendaStep.FREEZE:
            options = regular_activity("freeze the escrow", timeout=CALL_TIMEOUT)
            return await workflow.execute_activity_method(PaymentEscrows.freeze_escrow, ask, **options)
        options = regular_activity("fund the escrow", timeout=CALL_TIMEOUT)
        return await workflow.execute_activity_method(PaymentEscrows.fund_escrow, ask, **options)

    async def _record_answer(self) -> None:
        """Book the escrow's answer; an escrow that could not be asked is asked again after a pause."""
        question, self._question = self._question, None
        assert question is not None
        try:
            answer = question.task.result()
        except ActivityError:
            self._lookups += 1
            held = retry_at(workflow.now(), self._lookups)
            self._tried = after_step(self._tried, question.step, hold_until=held)
            return
        await self._book_escrow_answer(answer)

    async def _book_escrow_answer(self, answer: EscrowAnswer) -> None:
        now = workflow.now()
        match answer:
            case EscrowFreezing(frozen=True):
                await self._record([escrow.escrow_frozen(self._state, at=now)])
            case EscrowFreezing():
                why = answer.why or "it has ended"
                await self._record([escrow.escrow_not_frozen(self._state, why=why, at=now)])
            case EscrowFunding() if self._state.fulfilment is not Fulfilment.PENDING:
                pass  # the books were ahead
            case EscrowFunding(funded=True):
                await self._record([escrow.fulfilled(self._state, at=now)])
            case EscrowFunding(not_asked=True):
                await self._record([escrow.fulfilment_put_off(self._state, at=now)])
            case EscrowFunding():
                await self._fulfilment_unavailable(answer.why or "the escrow can no longer be funded")

    async def _fulfilment_unavailable(self, why: str) -> None:
        refund_id = self._refund_of_purpose()
        await self._record(
            [refunds.fulfilment_unavailable(self._state, why=why, refund_id=refund_id, at=workflow.now())]
        )

    def _refund_of_purpose(self) -> str:
        return refund_id_of(self._state.terms.payment_id, "purpose gone")
