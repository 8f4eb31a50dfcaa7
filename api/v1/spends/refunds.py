"""Refunds of spends: the platform returns what was used, all of it or a part, and never more."""

from datetime import UTC, datetime
from uuid import UUID

from starlette.responses import Response

from api.approvals import by_hand, require_two_operators
from api.auth import SpendingKeyDep, permit, require
from api.deps import DepsDep
from api.errors import errors
from api.idempotency import MovesMoney
from api.lists import CREATED, Items, ListEndpoint, ListRequest, items_of
from api.routing import Resource
from api.v1.spends.own import require_readable
from api.v1.spends.schemas import SpendRefundCreate, SpendRefundView
from domain.common import errors as refusals
from domain.common.access import Actor, Permission
from domain.common.approval import ApprovalAction
from domain.common.money import CREDIT, parse_amount
from repositories.credits import spend as spends
from services.marketplace import spend_refund
from services.marketplace.spend_refund import NewRefund

router = Resource(tags=["credits"])


@router.post(
    "/credits/spends/{spend_id}/refunds",
    status_code=201,
    response_model=SpendRefundView,
    responses=errors(
        refusals.ApprovalRequired,
        refusals.ApprovalSameOperator,
        refusals.SpendRefunded,
        refusals.MarketplaceSuspended,
        refusals.OrganizationClosed,
    ),
)
async def refund_spend(
    spend_id: str,
    deps: DepsDep,
    *,
    body: SpendRefundCreate | None = None,
    actor: Actor = require(Permission.GRANT_CREDITS),
    command: MovesMoney,
) -> Response:
    """Refund an amount, or all that remains, of a use or of the captures of a reservation. For operators.

    Above a set amount it takes two operators. The refund counts in the windows in which the credits were spent, and
    pays the organization's debt first. Credits that have expired meanwhile, or soon would, get some more days. The use
    of an agent of the marketplace is refunded whole, and its shares are taken back.
    """
    wanted = body or SpendRefundCreate()

    new = NewRefund(
        spend_id=spend_id,
        amount_minor=None if wanted.amount is None else parse_amount(wanted.amount, CREDIT),
        reason=wanted.reason,
        command_id=command.command_id,
    )
    async with command:
        now, renew_days = datetime.now(UTC), deps.settings.refunded_credits_days
        async with deps.session_for(actor) as session:
            content = await spend_refund.content_for_approval(session, by_hand(deps), new, now=now)
        if content is not None:
            await require_two_operators(deps, actor, command, ApprovalAction.SPEND_REFUND, spend_id, content)
        async with deps.session_for(actor) as session:
            spend, change = await spend_refund.refund(
                session,
                actor,
                by_hand(deps),
                new,
                renew_days=renew_days,
                reverses=deps.settings.reverse_payouts_for_refunds,
                now=now,
            )
            return command.answer(SpendRefundView.of(spend, change))


_LIST = ListEndpoint(
    "spend-refunds", SpendRefundView, *(*CREATED, "min_amount", "max_amount"), order=[UUID], currency=CREDIT
)


@_LIST.get(router, "/credits/spends/{spend_id}/refunds")
async def list_spend_refunds(
    spend_id: str, deps: DepsDep, asked: ListRequest, key: SpendingKeyDep, actor: Actor = require(Permission.READ)
) -> Items:
    """List the refunds of a use or a reservation of credits, newest first."""
    if actor.is_platform:
        permit(actor, Permission.INSPECT)
    wanted = asked.wanted(None)
    async with deps.session_for(actor) as session:
        spend = await require_readable(session, actor, key, spend_id)
        found = await spends.refunds(session, wanted, spend_id=spend.id)
        return items_of(found, lambda row: SpendRefundView.of(spend, row))
