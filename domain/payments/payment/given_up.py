"""Outcome of a refund that cannot be looked up, stated by an operator. Pure."""

from dataclasses import replace
from datetime import datetime

from domain.common.access import Actor
from domain.common.errors import NotFound, PaymentRefundKnown, PaymentRefundNotUnknown
from domain.common.money import format_amount
from domain.payments.payment.entitlement import restored_minor
from domain.payments.payment.state import Outcome, Payment, PaymentPosting, PaymentPostingKind, RefundState, with_number


def give_up(
    payment: Payment, *, refund_id: str, provider_ref: str | None, reason: str, actor: Actor, at: datetime
) -> Outcome:
    """End the look-up of a refund with an unknown outcome, as an operator states the outcome.

    With `provider_ref`, the provider's id of the refund, it counts as made: it is followed under that id, and the
    entitlement stays clawed back. Without it the refund was not made: the entitlement is restored. Later reports of the
    provider still count: a refund that was made after all is added like one made at the provider's own site.

    Raises:
        NotFound: the payment has no such refund.
        Conflict: `payment.refund_not_unknown`; `payment.refund_known`, another refund has this `provider_ref`.
    """
    refund = next((item for item in payment.refunds if item.refund_id == refund_id), None)
    if refund is None:
        raise NotFound("This payment has no such refund.")
    if not refund.can_be_given_up:
        raise PaymentRefundNotUnknown(
            f"The provider has responded to this refund: it is {refund.state.value}. Only a refund whose outcome is "
            "unknown can be given up.",
            extra={"state": payment.status.value, "refund": refund.state.value},
        )
    if provider_ref is not None and any(item.ref == provider_ref for item in payment.refunds if item is not refund):
        raise PaymentRefundKnown(
            f"{provider_ref} is another refund of this payment. If the provider made no second one, give this refund "
            "up without it.",
            extra={"state": payment.status.value},
        )
    details: dict[str, object] = {
        "refund_id": refund_id,
        "amount": format_amount(refund.amount_minor, payment.terms.currency),
        "reason": reason,
        "at_provider": provider_ref is not None,
    }
    moves: tuple[PaymentPosting, ...] = ()
    if provider_ref is not None:
        details |= {"ref": provider_ref}
        ended = replace(refund, state=RefundState.PENDING, ref=provider_ref, given_up=True)
    else:
        ended = replace(refund, state=RefundState.FAILED, ref=None, given_up=True, failure=reason)
        released = restored_minor(payment, refund)
        if released:
            asset = payment.terms.purpose.goods_asset
            moves = (PaymentPosting(kind=PaymentPostingKind.RELEASE, amount_minor=released, asset=asset),)
    return with_number(
        Outcome(
            payment=payment.with_refund(ended),
            event="refund_given_up",
            actor=actor.qualified(),
            moves=moves,
            details=details,
        ),
        at,
    )
