"""Grants of credits by an operator."""

from datetime import UTC, datetime

from fastapi import APIRouter
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from api.auth import require
from api.deps import DepsDep
from api.errors import errors
from api.idempotency import Command, idempotency
from api.v1.credits.schemas import GrantCreate, GrantSource, LotView
from domain import accounts
from domain.access import Actor, Permission
from domain.errors import Invalid, NotFound
from domain.ids import grant_key
from domain.money import CREDIT, format_amount, parse_amount
from ledger.gateway import Ledger
from models.credit_lot import CreditLot
from repositories import audit
from repositories import credit_lot as lots
from repositories import organization as organizations
from runtime.database import driver_connection
from runtime.identity import new_id

router = APIRouter(tags=["credits"])

KIND = "credit.grant"

#: Where granted credits come from: what the platform gives away is its expense, a correction is new issuance.
_FUNDED_BY = {
    GrantSource.PROMOTION: "promotions",
    GrantSource.REWARD: "promotions",
    GrantSource.ADJUSTMENT: "credit_issuance",
}


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
        now = datetime.now(UTC)
        if body.expires_at is not None and body.expires_at <= now:
            raise Invalid("expires_at must be in the future.", extra={"field": "expires_at"})
        async with deps.session_for(actor) as session:
            await organizations.get(session, body.organization_id)
            lot = CreditLot(
                id=new_id("lot"),
                org_id=body.organization_id,
                source=body.source.value,
                amount_minor=amount_minor,
                expires_at=body.expires_at,
                note=body.note,
                created_by=actor.qualified(),
                command_id=command.command_id,
            )
            done = await lots.made_before(session, lot)
            return LotView.of(done or await _grant(session, actor, lot, body.source, now))

    return await command.run(grant, status_code=201)


async def _grant(session: AsyncSession, actor: Actor, lot: CreditLot, source: GrantSource, now: datetime) -> CreditLot:
    """Move the credits, and write the lot and the audit entry in the same transaction."""
    posted = await Ledger(await driver_connection(session)).post(
        key=grant_key(lot.org_id, lot.command_id),
        kind=KIND,
        source=accounts.platform(_FUNDED_BY[source], CREDIT),
        destination=accounts.org_credits(lot.org_id),
        amount_minor=lot.amount_minor,
        reference=lot.id,
        effective_at=now,
        org_id=lot.org_id,
        metadata={"source": lot.source},
    )
    lot.transfer_id = posted.transfer_id
    made = await lots.add(session, lot)
    details = {"amount": format_amount(made.amount_minor, CREDIT), "source": made.source}
    await audit.record(session, actor, "credits.grant", made.id, details, made.org_id)
    return made
