"""Grants of credits by an operator."""

from datetime import UTC, datetime

from fastapi import APIRouter
from starlette.responses import Response

from api.auth import require
from api.deps import DepsDep
from api.errors import errors
from api.idempotency import Command, idempotency
from api.v1.credits.schemas import GrantCreate, LotView
from domain.access import Actor, Permission
from domain.errors import NotFound
from domain.money import CREDIT, parse_amount
from services import credit_lot

router = APIRouter(tags=["credits"])


@router.post(
    "/credits/grants",
    status_code=201,
    response_model=LotView,
    responses=errors(NotFound),
)
async def grant_credits(
    body: GrantCreate,
    deps: DepsDep,
    actor: Actor = require(Permission.GRANT_CREDITS),
    command: Command = idempotency(required=True),
) -> Response:
    """Grant credits to an organization. For operators."""

    async def grant() -> LotView:
        amount_minor = parse_amount(body.amount, CREDIT)
        async with deps.session_for(actor) as session:
            lot = await credit_lot.grant(
                session,
                actor,
                org_id=body.organization_id,
                amount_minor=amount_minor,
                source=body.source,
                expires_at=body.expires_at,
                note=body.note,
                command_id=command.command_id,
                now=datetime.now(UTC),
            )
            return LotView.of(lot)

    return await command.run(grant, status_code=201)
