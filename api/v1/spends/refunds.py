"""Refunds of spends: the platform returns what was used, all of it or a part, and never more."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from starlette.responses import Response

from api.auth import permit, require
from api.csv_files import CSV
from api.deps import DepsDep
from api.errors import errors
from api.fields import Page
from api.idempotency import Command, idempotency
from api.lists import CREATED, After, Asked, Items, ListOf, items_of
from api.routing import Resource
from api.v1.spends.schemas import SpendRefundCreate, SpendRefundView
from domain.access import Actor, Permission
from domain.errors import Conflict, NotFound
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


_LIST = ListOf("spend-refunds", SpendRefundView, *(*CREATED, "min_amount", "max_amount"), order=[UUID], currency=CREDIT)


@router.get(
    "/credits/spends/{spend_id}/refunds", response_model=Page[SpendRefundView], responses=errors(NotFound) | CSV
)
async def list_spend_refunds(
    spend_id: str,
    deps: DepsDep,
    asked: Annotated[Asked, _LIST.asked],
    actor: Actor = require(Permission.READ),
) -> Response:
    """List what was refunded of a use or a reservation of credits, newest first.

    With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
    """
    if actor.is_platform:
        permit(actor, Permission.INSPECT)
    wanted = asked.wanted(None)

    async def read(after: After, limit: int) -> Items:
        async with deps.session_for(actor) as session:
            spend = await spends.get(session, spend_id)
            found = await spends.refunds(session, wanted, spend_id=spend.id, after=after, limit=limit)
            return items_of(found, lambda row: SpendRefundView.of(spend, row))

    return await asked.answer(read)
