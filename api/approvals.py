"""Asks for another operator's approval, where an act takes two."""

from collections.abc import Mapping
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from api.deps import Deps
from api.idempotency import Command
from domain.common.access import Actor
from domain.common.approval import ApprovalAction
from domain.common.errors import Forbidden
from domain.payments.payment.state import Payment
from services.common import approval
from services.credits.credit_lot import ManualGrantRules
from services.payments import payment_refund


def by_hand(deps: Deps) -> ManualGrantRules:
    return ManualGrantRules(two_above=deps.settings.two_operators_above, price=deps.settings.price_of_credits)


async def require_two_operators(
    deps: Deps,
    actor: Actor,
    once: Command,
    action: ApprovalAction,
    subject: str,
    content: Mapping[str, object],
    *,
    is_used_here: bool = False,
) -> None:
    """Return when another operator has approved this act; see `services.common.approval.require` for `is_used_here`."""
    await approval.require(
        deps.database,
        actor,
        action,
        subject,
        content,
        command_id=once.command_id,
        now=datetime.now(UTC),
        is_used_here=is_used_here,
    )


async def require_two_for_override(
    deps: Deps, actor: Actor, once: Command, action: ApprovalAction, subject: str, content: Mapping[str, object]
) -> None:
    if deps.settings.two_operators_above is not None:
        await require_two_operators(deps, actor, once, action, subject, content, is_used_here=True)


async def require_two_for_refund(
    deps: Deps,
    actor: Actor,
    once: Command,
    payment: Payment,
    *,
    refund_id: str,
    amount_minor: int | None = None,
    with_credit_note: bool = False,
) -> None:
    """Require two operators for an operator's refund above the limit of the setting, also by a key in their line.

    A refund that the payment already has needs no approval again.
    """
    if any(refund.refund_id == refund_id for refund in payment.refunds):
        return
    async with deps.database.platform() as session:
        content = await _refund_for_two(
            deps, session, actor, payment, refund_id, amount_minor, with_credit_note=with_credit_note
        )
    if content is not None:
        await require_two_operators(deps, actor, once, ApprovalAction.PAYMENT_REFUND, payment.terms.payment_id, content)


async def missing_refund_approval(
    deps: Deps, actor: Actor, payment: Payment, amount_minor: int | None
) -> Forbidden | None:
    """Return the refusal that `require_two_for_refund` would raise, without requesting an approval."""
    if deps.settings.two_operators_above is None:
        return None
    async with deps.database.platform() as session:
        content = await _refund_for_two(deps, session, actor, payment, "", amount_minor)
        if content is None:
            return None
        subject, now = payment.terms.payment_id, datetime.now(UTC)
        return await approval.missing(session, actor, ApprovalAction.PAYMENT_REFUND, subject, content, now=now)


async def _refund_for_two(
    deps: Deps,
    session: AsyncSession,
    actor: Actor,
    payment: Payment,
    refund_id: str,
    amount_minor: int | None,
    *,
    with_credit_note: bool = False,
) -> dict[str, object] | None:
    return await payment_refund.content_to_approve(
        session,
        by_hand(deps),
        actor,
        payment.terms,
        refund_id=refund_id,
        amount_minor=payment.refundable_minor if amount_minor is None else amount_minor,
        is_all=amount_minor is None,
        with_credit_note=with_credit_note,
        now=datetime.now(UTC),
    )
