"""What a caller may do with a purchase of an agent now, and what would come back."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Self

from pydantic import Field

from api.actions import ActionView
from api.approvals import missing_refund_approval
from api.auth import ActorDep, permit
from api.deps import Deps, DepsDep
from api.fields import Exact, ResponseModel
from api.routing import Resource
from api.v1.marketplace.endpoints import window_of
from api.v1.payments import commands
from domain.common.access import Actor, Permission
from domain.common.errors import DomainError
from domain.common.money import format_amount
from domain.marketplace.sale import PurchaseStatus
from models.marketplace.marketplace import MarketplacePurchase
from repositories.marketplace import marketplace
from repositories.tenants import organization as organizations
from services.marketplace import marketplace as service
from services.marketplace.marketplace_renewal import status_when_cancelled

router = Resource(tags=["marketplace"])


class PurchaseAction(StrEnum):
    """The commands of a purchase."""

    REFUND = "refund"
    CANCEL = "cancel"


class PurchaseEffectView(ResponseModel):
    """What a command would do. Amounts are decimal strings of `currency`, and null if nothing was paid."""

    to_buyer: Exact | None = Field(description="The part of the price that is refunded.")
    used: Exact | None = Field(description="The part of the price that was used and is not refunded.")
    currency: str | None
    status: PurchaseStatus = Field(description="The status afterwards.")


class PurchaseActionView(ActionView[PurchaseAction, PurchaseEffectView]):
    """One command: its effect if the caller may give it now, otherwise the reason why not."""

    @classmethod
    def of(cls, action: PurchaseAction, found: PurchaseEffectView | DomainError) -> Self:
        if isinstance(found, DomainError):
            return cls.judged(action, None, found)
        return cls.judged(action, found, None)


class PurchaseActionList(ResponseModel):
    """Every command of a purchase."""

    actions: list[PurchaseActionView]


@router.get("/marketplace/purchases/{purchase_id}/actions", operation_id="marketplace.purchase_actions")
async def list_purchase_actions(purchase_id: str, deps: DepsDep, actor: ActorDep) -> PurchaseActionList:
    """List every command of a purchase: whether you may give it now, why not, and what it would refund.

    The payment's provider can still refuse a refund.
    """
    async with deps.session_for(actor) as session:
        row = await marketplace.get_purchase(session, purchase_id)
    permit(actor, Permission.INSPECT if actor.is_platform else Permission.READ)
    found = ((PurchaseAction.REFUND, await _refund(deps, actor, row)), (PurchaseAction.CANCEL, _cancel(actor, row)))
    return PurchaseActionList(actions=[PurchaseActionView.of(*each) for each in found])


async def _refund(deps: Deps, actor: Actor, row: MarketplacePurchase) -> PurchaseEffectView | DomainError:
    """Try a refund as `refund_purchase` would do it."""
    try:
        permit(actor, Permission.REFUND_PAYMENT)
        payment = None if row.payment_id is None else await commands.find_payment(deps, actor, row.payment_id)
        left = row.price_minor if payment is None else payment.refundable_minor
        async with deps.database.platform() as session:
            await service.require_refundable(session, row, window=window_of(deps), now=datetime.now(UTC))
            if payment is None and left is not None:
                await organizations.refuse_closed(session, row.org_id)
            provider = None if payment is None else payment.terms.provider
            used = 0 if left is None else await service.used_part_minor(session, row, left, provider=provider)
        if payment is not None:
            unapproved = await missing_refund_approval(
                deps, actor, payment, payment.refundable_minor - used if used else None
            )
            if unapproved is not None:
                return unapproved
    except DomainError as refusal:
        return refusal
    written = None if row.currency is None or left is None else row.currency
    return PurchaseEffectView(
        to_buyer=None if written is None else format_amount((left or 0) - used, written),
        used=None if written is None else format_amount(used, written),
        currency=written,
        status=PurchaseStatus.REFUNDED,
    )


def _cancel(actor: Actor, row: MarketplacePurchase) -> PurchaseEffectView | DomainError:
    """Try to let the purchase end as `cancel_purchase` would."""
    try:
        permit(actor, Permission.REFUND_PAYMENT)
        return PurchaseEffectView(to_buyer=None, used=None, currency=None, status=status_when_cancelled(row))
    except DomainError as refusal:
        return refusal
