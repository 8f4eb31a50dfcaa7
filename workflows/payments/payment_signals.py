"""What operators' signals ask of a payment. Their fields can hold any JSON, and are validated here."""

from contracts.escrow.escrow import OperatorSignal
from contracts.payments.payment import GiveUpRefund, GiveUpSignal, RefundPayment, RefundSignal
from domain.common.access import Actor
from domain.common.errors import Invalid, NotFound
from domain.common.money import parse_amount
from domain.common.signals import SignalTarget
from domain.common.text import plain_text
from domain.payments.payment.state import Payment
from workflows.common.signals import check_addressed


def check(name: str, signal: OperatorSignal, payment: Payment) -> None:
    """Refuse a signal for another payment, or one without a sender."""
    reached = SignalTarget(kind="payment", id=payment.terms.payment_id, state=payment.status.value, asks_for_name=True)
    check_addressed(reached, name, signal, subject=getattr(signal, name))


def refund_of(signal: RefundSignal, payment: Payment, refund_id: str, command_id: str, actor: Actor) -> RefundPayment:
    """Read a refund; without an amount it is for all that remains."""
    amount = None if signal.amount is None else parse_amount(str(signal.amount), payment.terms.currency)
    reason = None if signal.reason is None else plain_text(signal.reason, "reason")
    return RefundPayment(command_id=command_id, actor=actor, refund_id=refund_id, amount_minor=amount, reason=reason)


def give_up_of(signal: GiveUpSignal, payment: Payment, command_id: str, actor: Actor) -> GiveUpRefund:
    """Read an operator's word on a refund; without an id it is the unknown one, of which there is at most one."""
    if type(signal.at_provider) is not bool:
        raise Invalid(
            "at_provider must be true if the provider has the refund, and false if it does not.",
            extra={"field": "at_provider"},
        )
    if signal.at_provider != (signal.ref is not None):
        raise Invalid(
            "ref must be the provider's id of the refund if at_provider is true, and be left out otherwise.",
            extra={"field": "ref"},
        )
    unknown = next((refund.refund_id for refund in payment.refunds if refund.can_be_given_up), None)
    refund_id = unknown if signal.refund_id is None else plain_text(signal.refund_id, "refund_id", limit=100)
    if refund_id is None:
        raise NotFound("No refund of this payment has an unknown outcome, so there is none to give up.")
    return GiveUpRefund(
        command_id=command_id,
        actor=actor,
        refund_id=refund_id,
        reason=plain_text(signal.reason, "reason"),
        provider_ref=None if signal.ref is None else plain_text(signal.ref, "ref", limit=255),
    )
