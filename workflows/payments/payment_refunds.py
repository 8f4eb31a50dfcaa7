"""The refunds of a payment's run."""

from datetime import datetime
from functools import partial

from temporalio import workflow

from domain.common.errors import RefundExceeds

with workflow.unsafe.imports_passed_through():
    from activities.payments.payment_providers import ProviderActivities
    from contracts.payments.payment import GiveUpRefund, RefundPayment, RefundRequest, RefundResponse
    from domain.common.errors import DomainError
    from domain.common.ids import payment_key
    from domain.common.money import parse_amount
    from domain.payments.payment import commands, refunds
    from domain.payments.payment.converge import refund_accepted, refund_failed
    from domain.payments.payment.given_up import give_up
    from domain.payments.payment.state import IN_FLIGHT, WORKFLOW, Outcome, Payment, Refund, RefundState, with_number
    from workflows.common import errand
    from workflows.common.errand import Errand
    from workflows.payments.payment_provider import PaymentAtProvider


class PaymentRefunds(PaymentAtProvider):
    """The refunds of a payment: booked first, then made by the provider; the caller holds the lock."""

    async def _refund(self, command: RefundPayment) -> None:
        """Book the refund, then make it at the provider; the caller holds the lock."""
        asked, settled = command, False
        while not settled:
            try:
                is_all = command.amount_minor is None
                await self._apply(asked.command_id, partial(self._requested, asked, is_all=is_all), asked.actor)
                settled = True
            except DomainError as refusal:
                left = _left(refusal, self._state.terms.currency)
                if command.amount_minor is not None or left is None:
                    raise
                # A full refund is limited to what the books leave, because credits that the payment bought were used.
                # It only shrinks.
                asked = command.model_copy(update={"amount_minor": left})
        await self._submit_refunds()

    async def _give_up(self, command: GiveUpRefund) -> None:
        """Record an operator's word on the outcome of a refund, then refresh; the caller holds the lock."""
        if not self._state.has_done(command.command_id):
            await self._apply(command.command_id, partial(self._given_up, command), command.actor)
            self._refresh_wanted = True

    def _requested(self, command: RefundPayment, payment: Payment, now: datetime, *, is_all: bool = False) -> Outcome:
        return refunds.refund(
            payment,
            refund_id=command.refund_id,
            amount_minor=command.amount_minor,
            reason=command.reason,
            requested_by=command.actor.qualified(),
            at=now,
            with_credit_note=command.credit_note,
            is_all=is_all,
            is_own=not command.actor.is_operators,
        )

    def _given_up(self, command: GiveUpRefund, payment: Payment, now: datetime) -> Outcome:
        return give_up(
            payment,
            refund_id=command.refund_id,
            provider_ref=command.provider_ref,
            reason=command.reason,
            actor=command.actor,
            at=now,
        )

    async def _return_cancelled(self) -> None:
        """Refund what was paid although the payment was to be cancelled, unless what it bought was used meanwhile."""
        amount: int | None = None
        while commands.must_be_returned(self._state):
            try:
                await self._record([self._returned(amount)])
            except DomainError as refusal:
                left = _left(refusal, self._state.terms.currency)
                if left is not None and amount is None:
                    amount = left
                    continue
                kept = commands.cancel_too_late(self._state, why=refusal.detail, at=workflow.now())
                await self._record([kept])

    def _returned(self, amount_minor: int | None) -> Outcome:
        payment = self._state
        return refunds.refund(
            payment,
            refund_id=commands.return_refund_id(payment),
            amount_minor=amount_minor,
            reason="it was cancelled",
            requested_by=payment.cancel_requested_by or WORKFLOW,
            at=workflow.now(),
            is_all=True,
            is_cancelled="/" in (payment.cancel_requested_by or ""),
        )

    async def _submit_refunds(self) -> None:
        """Make the booked refunds at the provider; one that may have been made before is looked up first."""
        for refund in self._state.refunds:
            if refund.state in IN_FLIGHT:
                perhaps_made = refund.state is RefundState.UNKNOWN or self._start.resume
                self._lookups += perhaps_made
                await self._take_refund(refund, await errand.run(self._making(refund), perhaps_made=perhaps_made))

    def _making(self, refund: Refund) -> Errand[ProviderActivities, RefundRequest, RefundResponse]:
        terms, ref = self._state.terms, self._state.ref
        assert ref is not None
        message = RefundRequest(
            terms=terms,
            ref=ref,
            refund_id=refund.refund_id,
            amount_minor=refund.amount_minor,
            reason=refund.reason,
            key=payment_key(terms.payment_id, "refund", refund.refund_id),
        )
        return Errand(
            make=ProviderActivities.refund, find=ProviderActivities.find_refund, message=message, summary="refund"
        )

    async def _take_refund(self, refund: Refund, answer: RefundResponse | None) -> None:
        if answer is None or answer.unknown is not None:
            if refund.state is not RefundState.UNKNOWN:
                await self._record([refunds.refund_unknown(self._state, refund.refund_id, at=workflow.now())])
        elif answer.refused is not None:
            known = next(item for item in self._state.refunds if item.refund_id == refund.refund_id)
            failed = refund_failed(self._state, known, answer.refused.detail, code=answer.refused.code)
            await self._record([with_number(failed, workflow.now())])
        else:
            assert answer.snapshot is not None
            accepted = refund_accepted(self._state, refund.refund_id, answer.snapshot)
            if accepted is not None:
                await self._record([with_number(accepted, workflow.now())])
            await self._refresh()


def _left(refusal: DomainError, currency: str) -> int | None:
    """Return what the books leave to refund if that is less than requested; None if nothing is left."""
    if refusal.error_code != RefundExceeds.code:
        return None
    return parse_amount(str(refusal.extra["refundable"]), currency, zero=True) or None
