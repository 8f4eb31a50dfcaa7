"""Agents' earnings in credits: what there is, and converting it into credits that the organization spends."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from api.auth import require
from api.deps import DepsDep
from api.errors import errors
from api.fields import OrganizationId, Page
from api.idempotency import Command, idempotency
from api.pagination import DEFAULT_LIMIT, CursorParam, LimitParam, id_cursor, id_page
from api.routing import Resource
from api.tenancy import acting_organization, known_organization
from api.v1.earnings.schemas import ConversionCreate, ConversionView, EarningsView
from domain.access import Actor, Permission
from domain.errors import InsufficientFunds, NotFound
from domain.money import CREDIT, parse_amount
from repositories import earnings
from services import earnings as service

router = Resource(tags=["earnings"])


@router.get("/credits/earnings", response_model=Page[EarningsView], responses=errors(NotFound))
async def list_earnings(
    deps: DepsDep,
    organization_id: Annotated[OrganizationId | None, Query(description="For operators.")] = None,
    limit: LimitParam = DEFAULT_LIMIT,
    cursor: CursorParam = None,
    actor: Actor = require(Permission.READ),
) -> Page[EarningsView]:
    """List what each agent of an organization has earned in credits, the newest agents first."""
    org_id = await known_organization(deps, actor, organization_id)
    before = id_cursor(cursor, "agt")
    # When credits end is in the lots of who paid them, which the tenant does not see.
    async with deps.database.platform() as session:
        rows = await earnings.page(
            session,
            org_id=org_id,
            days=deps.settings.earned_credits_days,
            at=datetime.now(UTC),
            before=before,
            limit=limit + 1,
        )
    return id_page(rows, limit, "agt", EarningsView.of)


@router.post(
    "/credits/earnings/conversions",
    status_code=201,
    response_model=ConversionView,
    responses=errors(NotFound, InsufficientFunds),
)
async def convert_earnings(
    body: ConversionCreate,
    deps: DepsDep,
    actor: Actor = require(Permission.CONVERT_EARNINGS),
    command: Command = idempotency(required=True),
) -> Response:
    """Convert what an agent has earned in credits into credits that the organization spends, for good.

    They keep what was paid for them. Those that have ended meanwhile, or would soon, get some days more.
    """
    org_id = acting_organization(actor, None)

    async def convert() -> ConversionView:
        amount_minor = None if body.amount is None else parse_amount(body.amount, CREDIT)
        async with deps.database.platform() as session:
            made = await service.convert(
                session,
                actor,
                org_id=org_id,
                agent_id=body.agent_id,
                kind=body.kind,
                amount_minor=amount_minor,
                renew_days=deps.settings.earned_credits_days,
                command_id=command.command_id,
                now=datetime.now(UTC),
            )
            return ConversionView.of(made)

    return await command.run(convert, status_code=201)
