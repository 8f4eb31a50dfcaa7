"""Refunds of spends by operators; large ones need two operators.

Used credits cannot be returned, so the refund is a gift. It counts as a grant for the limit
(`services.credits.credit_lot.needs_approval`).
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.access import Actor
from domain.common.approval import ApprovalAction
from domain.common.money import CREDIT, format_amount
from models.credits.spend import Spend, SpendChange
from repositories.credits import credit_lot as grants, spend as spends
from repositories.marketplace import marketplace
from services.common import approval
from services.credits import spend as service
from services.credits.credit_lot import ManualGrantRules, needs_approval
from services.marketplace import marketplace_use


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRefund:
    """Requested refund of a spend: an amount, or None for the rest."""

    spend_id: str
    amount_minor: int | None
    reason: str | None
    command_id: str


async def content_for_approval(
    session: AsyncSession, by_hand: ManualGrantRules, new: NewRefund, *, now: datetime
) -> dict[str, object] | None:
    """Return the content of the approval; None if one operator is enough, or `refund` refuses it anyway."""
    spend = await spends.get(session, new.spend_id)
    left = spend.captured - spend.refunded
    amount_minor = left if new.amount_minor is None else new.amount_minor
    if not 0 < amount_minor <= left or await marketplace.is_paid_by_spend(session, spend.id):
        return None
    return await _content(session, by_hand, spend.org_id, amount_minor, new.command_id, now)


async def refund(
    session: AsyncSession,
    actor: Actor,
    by_hand: ManualGrantRules,
    new: NewRefund,
    *,
    renew_days: int,
    reverses: bool,
    now: datetime,
) -> tuple[Spend, SpendChange]:
    """Refund a spend, or return the command's refund, and consume its approval if needed.

    The use of an agent is refunded in full, and its shares are reversed; with `reverses`, so are payouts for the
    creator's resulting debt. Needs the platform's session. Raises as `marketplace_use.refund`.
    """
    spend = await spends.get(session, new.spend_id)
    await grants.lock_grants(session, spend.org_id)
    is_new = await spends.find_refund(session, spend.org_id, new.command_id) is None
    if await marketplace.use_of(session, spend.id) is None:
        spend, change = await service.refund(
            session,
            actor,
            spend_id=new.spend_id,
            amount_minor=new.amount_minor,
            reason=new.reason,
            renew_days=renew_days,
            command_id=new.command_id,
            now=now,
        )
    else:
        spend, change = await marketplace_use.refund(
            session,
            actor,
            spend=spend,
            amount_minor=new.amount_minor,
            reason=new.reason,
            reverses=reverses,
            command_id=new.command_id,
            now=now,
        )
    # The refunded amount is known only after the refund.
    content = await _content(session, by_hand, spend.org_id, change.amount, new.command_id, now) if is_new else None
    if content is not None:
        await approval.consume(
            session, ApprovalAction.SPEND_REFUND, new.spend_id, content, command_id=new.command_id, now=now
        )
    return spend, change


async def _content(
    session: AsyncSession, by_hand: ManualGrantRules, org_id: str, amount_minor: int, command_id: str, now: datetime
) -> dict[str, object] | None:
    if not await needs_approval(
        session, by_hand, org_id=org_id, amount_minor=amount_minor, command_id=command_id, now=now
    ):
        return None
    return {"organization_id": org_id, "credits": format_amount(amount_minor, CREDIT)}
