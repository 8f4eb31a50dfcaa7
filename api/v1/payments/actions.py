"""What a caller may do with a payment now, and what each command would move: found by trying the payment's rules."""

from datetime import UTC, datetime
from typing import Annotated, Self

from fastapi import Query
from pydantic import Field

from api.actions import ActionView
from api.approvals import missing_refund_approval
from api.auth import ActorDep
from api.deps import DepsDep
from api.fields import Amount, Exact, ResponseModel
from api.routing import Resource
from api.v1.payments.endpoints import find_visible_payment
from api.v1.payments.schemas import MoneyView, money
from domain.common.access import Permission
from domain.common.errors import DomainError
from domain.common.money import format_amount, parse_amount
from domain.payments.payment.actions import CommandEffect, CommandPreview, PaymentAction, preview_commands
from domain.payments.payment.refunds import RefundTooPrecise
from domain.payments.payment.state import Payment, PaymentStatus
from services.payments.payment_refund import check_refund_amount

router = Resource(tags=["payments"])


class PaymentEffectView(ResponseModel):
    """What a command would do. Amounts are decimal strings of `currency`."""

    captured: Exact
    released: Exact = Field(description="The authorized amount that would not be captured.")
    to_payer: Exact
    fee: Exact = Field(description="The provider's fee, which is kept of the refunded amount.")
    taken: MoneyView = Field(description="The part of the entitlement that would be clawed back.")
    currency: str
    status: PaymentStatus | None = Field(
        description="The status if the provider complies; null if it depends on the provider's answer."
    )

    @classmethod
    def of(cls, effect: CommandEffect, payment: Payment) -> Self:
        currency = payment.terms.currency
        return cls(
            captured=format_amount(effect.captured_minor, currency),
            released=format_amount(effect.released_minor, currency),
            to_payer=format_amount(effect.refunded_minor, currency),
            fee=format_amount(effect.fee_minor, currency),
            taken=money(effect.taken_minor, payment.terms.purpose.goods_asset),
            currency=currency,
            status=effect.status,
        )


class PaymentActionView(ActionView[PaymentAction, PaymentEffectView]):
    """One command: its effect if the caller may give it now, or the reason why not.

    It has both if a second operator has to approve: giving the command requests the approval.
    """

    @classmethod
    def of(cls, action: CommandPreview, payment: Payment) -> Self:
        effect = None if action.effect is None else PaymentEffectView.of(action.effect, payment)
        return cls.judged(action.name, effect, action.refusal)


class PaymentActionList(ResponseModel):
    """Every command of a payment."""

    actions: list[PaymentActionView]


@router.get("/payments/{payment_id}/actions", operation_id="payments.actions")
async def list_actions(
    payment_id: str,
    actor: ActorDep,
    deps: DepsDep,
    amount: Annotated[
        Amount | None, Query(description="Preview `refund` and `capture` of this amount; all when left out.")
    ] = None,
) -> PaymentActionList:
    """List every command: whether you may give it now, why not, and what it would do.

    The provider's answer is not known in advance. Whether the entitlement is still unspent is not checked.
    """
    payment = await find_visible_payment(deps, actor, payment_id, Permission.READ_BILLING)
    amount_minor = None if amount is None else parse_amount(amount, payment.terms.currency)
    refused: dict[PaymentAction, DomainError] = {}
    try:
        check_refund_amount(payment, amount_minor)
    except RefundTooPrecise as refusal:
        refused[PaymentAction.REFUND] = refusal
    unapproved = await missing_refund_approval(deps, actor, payment, amount_minor)
    if unapproved is not None:
        refused.setdefault(PaymentAction.REFUND, unapproved)
    found = preview_commands(payment, actor, datetime.now(UTC), amount_minor, refused=refused)
    return PaymentActionList(actions=[PaymentActionView.of(action, payment) for action in found])
