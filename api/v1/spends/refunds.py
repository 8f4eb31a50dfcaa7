"""Refunds of spends: the platform returns what was used, all of it or a part, and never more."""

from datetime import UTC, datetime

from starlette.responses import Response

from api.auth import permit, require
from api.deps import DepsDep
from api.errors import errors
from api.fields import Page
from api.idempotency import Command, idempotency
from api.pagination import DEFAULT_LIMIT, CursorParam, LimitParam, encode_cursor, id_cursor
from api.routing import Resource
from api.v1.spends.schemas import SpendRefundCreate, SpendRefundView
from domain.access import Actor, Permission
from domain.errors import Conflict, NotFound
from domain.ids import uuid_id, uuid_of
from domain.money import CREDIT, parse_amount
from repositories import marketplace
from repositories import spend as spends
from services import marketplace_use
from services import spend as service

router = Resource(tags=["credits"])


@router.post(
    "/credits/spends/{spend_id}/refunds",
    status_code=201,
    response_model=SpendRefundView,
    responses=errors(NotFound, (Conflict, "spend.refunded")),
)
async def refund_spend(
    spend_id: str,
    deps: DepsDep,
    body: SpendRefundCreate | None = None,
    actor: Actor = require(Permission.GRANT_CREDITS),
    command: Command = idempotency(required=True),
) -> Response:
    """Refund what was used, by a use or by the captures of a reservation: an amount, or what remains. For operators.

    It counts as refunded in the windows in which it was spent, and pays what the organization owes first. Credits that
    have ended meanwhile, or would soon, get some days more. What was paid for the use of an agent of the marketplace is
    refunded whole, and its shares go.
    """
    wanted = body or SpendRefundCreate()

    async def refund() -> SpendRefundView:
        amount_minor = None if wanted.amount is None else parse_amount(wanted.amount, CREDIT)
        async with deps.session_for(actor) as session:
            spend = await spends.get(session, spend_id)
            if await marketplace.use_of(session, spend.id) is not None:
                return SpendRefundView.of(
                    *await marketplace_use.refund(
                        session,
                        actor,
                        spend=spend,
                        amount_minor=amount_minor,
                        reason=wanted.reason,
                        command_id=command.command_id,
                        now=datetime.now(UTC),
                    )
                )
            row, change = await service.refund(
                session,
                actor,
                spend_id=spend_id,
                amount_minor=amount_minor,
                reason=wanted.reason,
                renew_days=deps.settings.refunded_credits_days,
                command_id=command.command_id,
                now=datetime.now(UTC),
            )
            return SpendRefundView.of(row, change)

    return await command.run(refund, status_code=201)


@router.get("/credits/spends/{spend_id}/refunds", response_model=Page[SpendRefundView], responses=errors(NotFound))
async def list_spend_refunds(
    spend_id: str,
    deps: DepsDep,
    limit: LimitParam = DEFAULT_LIMIT,
    cursor: CursorParam = None,
    actor: Actor = require(Permission.READ),
) -> Page[SpendRefundView]:
    """List what was refunded of a use or a reservation of credits, newest first."""
    if actor.is_platform:
        permit(actor, Permission.INSPECT)
    last = id_cursor(cursor, "rfd")
    before = None if last is None else uuid_of(last)
    async with deps.session_for(actor) as session:
        spend = await spends.get(session, spend_id)
        rows = await spends.refunds(session, spend.id, before=before, limit=limit + 1)
    following = encode_cursor("rfd", uuid_id("rfd", rows[limit - 1].id)) if len(rows) > limit else None
    return Page(data=[SpendRefundView.of(spend, row) for row in rows[:limit]], next_cursor=following)
