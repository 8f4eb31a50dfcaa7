"""Grants of credits by an operator."""

from datetime import UTC, datetime
from typing import Annotated, TypedDict

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.approvals import two_operators
from api.auth import require
from api.deps import DepsDep
from api.errors import errors
from api.fields import OrganizationId, Page
from api.idempotency import Command, idempotency
from api.pagination import DEFAULT_LIMIT, CursorParam, LimitParam, id_cursor, id_page
from api.tenancy import known_organization
from api.v1.credits.schemas import CreditLotView, GrantCreate, LotView
from domain.access import Actor, Permission
from domain.approval import ApprovalAction, ApprovalRequired
from domain.credits import GrantSource
from domain.errors import Conflict, NotFound
from domain.money import CREDIT, parse_amount
from repositories import lot as lots
from repositories import organization as organizations
from services import credit_lot
from services.credit_lot import ByHand

router = APIRouter(tags=["credits"])


class _Granted(TypedDict):
    org_id: str
    amount_minor: int
    source: GrantSource
    command_id: str
    now: datetime


@router.post(
    "/credits/grants",
    status_code=201,
    response_model=LotView,
    responses=errors(NotFound, ApprovalRequired, (Conflict, "approval.same_operator")),
)
async def grant_credits(
    body: GrantCreate,
    deps: DepsDep,
    actor: Actor = require(Permission.GRANT_CREDITS),
    command: Command = idempotency(required=True),
) -> Response:
    """Grant credits to an organization. For operators, and for two of them above a setting."""

    async def grant() -> LotView:
        amount_minor, now = parse_amount(body.amount, CREDIT), datetime.now(UTC)
        by_hand = ByHand(two_above=deps.settings.two_operators_above, price=deps.settings.price_of_credits)
        what: _Granted = {
            "org_id": body.organization_id,
            "amount_minor": amount_minor,
            "source": body.source,
            "command_id": command.command_id,
            "now": now,
        }
        async with deps.session_for(actor) as session:
            await organizations.get(session, body.organization_id)
            content = await credit_lot.content_for_two(session, by_hand, **what)
        if content is not None:
            await two_operators(deps, actor, command, ApprovalAction.CREDIT_GRANT, body.organization_id, content)
        async with deps.session_for(actor) as session:
            await credit_lot.use_approval(session, by_hand, **what)
            lot = await credit_lot.grant(
                session,
                actor,
                org_id=body.organization_id,
                amount_minor=amount_minor,
                source=body.source,
                expires_at=body.expires_at,
                note=body.note,
                command_id=command.command_id,
                now=now,
            )
            return LotView.of(lot)

    return await command.run(grant, status_code=201)


@router.get("/credits/lots", response_model=Page[CreditLotView], responses=errors(NotFound))
async def list_lots(
    deps: DepsDep,
    organization_id: Annotated[OrganizationId | None, Query(description="For operators.")] = None,
    limit: LimitParam = DEFAULT_LIMIT,
    cursor: CursorParam = None,
    actor: Actor = require(Permission.READ),
) -> Page[CreditLotView]:
    """List an organization's lots of credits, newest first: what is left, held and expired of each.

    Credits that came back from an escrow or a refund are in the lot that they came from, or in one of a later end.
    """
    org_id = await known_organization(deps, actor, organization_id)
    before = id_cursor(cursor, "lot")
    async with deps.session_for(actor) as session:
        rows = await lots.page(session, org_id=org_id, before=before, limit=limit + 1)
    return id_page(rows, limit, "lot", CreditLotView.of)
