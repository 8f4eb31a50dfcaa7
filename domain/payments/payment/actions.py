"""The effect that each command would have on a payment now, found by trying the rules without changing anything.

The answer of the provider or bank is not known, and the organization's balance is not checked.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.common.access import Actor, Permission, permit
from domain.common.errors import ApprovalRequired, DomainError, PaymentRefundNotUnknown
from domain.payments.payment import commands, refunds
from domain.payments.payment.given_up import give_up
from domain.payments.payment.purposes import rules_of
from domain.payments.payment.state import Payment, PaymentStatus


class PaymentAction(StrEnum):
    """The commands of a payment, in the order in which they are shown."""

    CONFIRM = "confirm"
    CAPTURE = "capture"
    CANCEL = "cancel"
    REFUND = "refund"
    GIVE_UP_REFUND = "give_up_refund"


A = PaymentAction
#: The permission of each command; of the platform's roles only operators have them.
NEEDS: Mapping[PaymentAction, Permission] = {
    A.CONFIRM: Permission.PAY,
    A.CAPTURE: Permission.PAY,
    A.CANCEL: Permission.PAY,
    A.REFUND: Permission.REFUND_PAYMENT,
    A.GIVE_UP_REFUND: Permission.OPERATE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandEffect:
    """The effect of a command; amounts are minor units of the payment's currency.

    Attributes:
        status: after the command, if the provider carries it out; None if it depends on the answer.
        captured_minor: the captured part of the authorized amount.
        released_minor: the rest of the authorized amount.
        refunded_minor: returned to the payer.
        fee_minor: the provider's fee, which is kept of what is refunded.
        taken_minor: the entitlement that is clawed back, in its units.
    """

    status: PaymentStatus | None
    captured_minor: int = 0
    released_minor: int = 0
    refunded_minor: int = 0
    fee_minor: int = 0
    taken_minor: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandPreview:
    """One command: what it would do, or why it is refused; both where another operator has to approve it."""

    name: PaymentAction
    effect: CommandEffect | None = None
    refusal: DomainError | None = None


def preview_commands(
    payment: Payment,
    actor: Actor,
    now: datetime,
    amount_minor: int | None = None,
    *,
    refused: Mapping[PaymentAction, DomainError] | None = None,
) -> tuple[CommandPreview, ...]:
    """Return every command, tried by the actor on the state.

    Args:
        payment: the state that the books hold.
        actor: sees the payment.
        now: the time.
        amount_minor: of a capture or a refund; None is all.
        refused: errors of commands that are checked before the payment's rules.
    """
    return tuple(_preview(name, payment, actor, now, amount_minor, refused or {}) for name in PaymentAction)


def _preview(
    name: PaymentAction,
    payment: Payment,
    actor: Actor,
    now: datetime,
    amount_minor: int | None,
    refused: Mapping[PaymentAction, DomainError],
) -> CommandPreview:
    try:
        permit(actor, NEEDS[name])
        if actor.is_platform:
            permit(actor, Permission.OPERATE)
        if name is A.REFUND:
            permit(actor, rules_of(payment.terms).refunded_with)
        refusal = refused.get(name)
        if refusal is not None and not isinstance(refusal, ApprovalRequired):
            raise refusal
        return CommandPreview(name=name, effect=_PREVIEWS[name](payment, actor, now, amount_minor), refusal=refusal)
    except DomainError as refusal:
        return CommandPreview(name=name, refusal=refusal)


def _confirm(payment: Payment, _actor: Actor, _now: datetime, _amount: int | None) -> CommandEffect:
    if payment.received_minor:
        # Taken, and answered with the payment as it is.
        return CommandEffect(status=payment.status)
    commands.check_open(payment, "confirm")
    return CommandEffect(status=None)


def _capture(payment: Payment, _actor: Actor, _now: datetime, amount_minor: int | None) -> CommandEffect:
    amount = commands.check_capture(payment, amount_minor)
    return CommandEffect(
        status=PaymentStatus.SUCCEEDED, captured_minor=amount, released_minor=payment.authorized_minor - amount
    )


def _cancel(payment: Payment, _actor: Actor, _now: datetime, _amount: int | None) -> CommandEffect:
    commands.check_cancel(payment)
    if commands.is_under_way(payment) and not commands.is_partly_paid(payment):
        if not payment.terms.refundable:
            raise commands.cancel_failed_error(payment)
        # It is cancelled if the money does not come, and refunded if it does.
        return CommandEffect(status=None)
    return CommandEffect(status=PaymentStatus.CANCELLED, released_minor=payment.authorized_minor)


def _refund(payment: Payment, actor: Actor, now: datetime, amount_minor: int | None) -> CommandEffect:
    outcome = refunds.refund(
        payment,
        refund_id="",
        amount_minor=amount_minor,
        reason=None,
        requested_by=actor.qualified(),
        at=now,
        is_own=not actor.is_operators,
    )
    made = outcome.payment.refunds[-1]
    return CommandEffect(
        status=outcome.payment.status,
        refunded_minor=made.amount_minor,
        fee_minor=made.fee_minor,
        taken_minor=made.goods_minor,
    )


def _give_up_refund(payment: Payment, actor: Actor, now: datetime, _amount: int | None) -> CommandEffect:
    refund_id = next((refund.refund_id for refund in payment.refunds if refund.can_be_given_up), None)
    if refund_id is None:
        raise PaymentRefundNotUnknown(
            "No refund of this payment has an unknown outcome. Only one that has can be given up.",
            extra={"state": payment.status.value},
        )
    # As one that the provider does not have.
    outcome = give_up(payment, refund_id=refund_id, provider_ref=None, reason="", actor=actor, at=now)
    return CommandEffect(status=outcome.payment.status)


_PREVIEWS: Mapping[PaymentAction, Callable[[Payment, Actor, datetime, int | None], CommandEffect]] = {
    A.CONFIRM: _confirm,
    A.CAPTURE: _capture,
    A.CANCEL: _cancel,
    A.REFUND: _refund,
    A.GIVE_UP_REFUND: _give_up_refund,
}
