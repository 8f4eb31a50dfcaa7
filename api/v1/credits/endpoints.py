"""Grants of credits by an operator."""

from datetime import UTC, datetime
from typing import Annotated, TypedDict
from uuid import UUID

from fastapi import Query
from starlette.responses import Response

from api.approvals import by_hand, require_two_operators
from api.auth import ActorDep, SpendingKeyDep, permit, require
from api.deps import DepsDep
from api.errors import errors
from api.idempotency import MayRepeat, MovesMoney
from api.lists import CREATED, Items, ListEndpoint, ListRequest, items_of
from api.metadata import MetadataTarget, PreconditionDep, tagged, update, visible_metadata
from api.routing import Resource
from api.tenancy import known_organization, listed_organization
from api.v1.credits.schemas import CreditLotView, GrantCreate, GrantUpdate, LotView
from api.v1.spends.own import confined_key, refuse_totals
from domain.common import errors as refusals
from domain.common.access import Actor, Permission
from domain.common.approval import ApprovalAction
from domain.common.credits import GrantSource
from domain.common.errors import NotFound
from domain.common.money import CREDIT, parse_amount
from domain.credits.lots import LotSource
from models.credits.credit_lot import CreditLot
from models.tenants.metadata import ObjectMetadata
from repositories.common.command import lock_command, row_of_command
from repositories.credits import credit_lot as grants, lot as lots
from repositories.tenants import metadata, organization as organizations
from services.credits import credit_lot
from services.tenants.metadata import version_of

router = Resource(tags=["credits"])


class _Granted(TypedDict):
    org_id: str
    amount_minor: int
    source: GrantSource
    expires_at: datetime | None
    priority: int
    command_id: str
    now: datetime


@router.post(
    "/credits/grants",
    status_code=201,
    response_model=LotView,
    responses=errors(
        NotFound,
        refusals.ApprovalRequired,
        refusals.ApprovalSameOperator,
        refusals.ExternalIdTaken,
        refusals.OrganizationClosed,
    ),
)
async def grant_credits(
    body: GrantCreate, deps: DepsDep, *, actor: Actor = require(Permission.GRANT_CREDITS), command: MovesMoney
) -> Response:
    """Grant credits to an organization. For operators; above a set amount it takes two of them."""
    async with command:
        amount_minor, now = parse_amount(body.amount, CREDIT), datetime.now(UTC)
        what: _Granted = {
            "org_id": body.organization_id,
            "amount_minor": amount_minor,
            "source": body.source,
            "expires_at": body.expires_at,
            "priority": body.priority,
            "command_id": command.command_id,
            "now": now,
        }
        async with deps.session_for(actor) as session:
            await organizations.get(session, body.organization_id)
            content = await credit_lot.approval_content(session, by_hand(deps), **what)
        if content is not None:
            await require_two_operators(
                deps, actor, command, ApprovalAction.CREDIT_GRANT, body.organization_id, content
            )
        async with deps.session_for(actor) as session:
            if await row_of_command(session, CreditLot, command.command_id) is None:
                await organizations.refuse_closed(session, body.organization_id)
            await credit_lot.use_approval(session, by_hand(deps), **what)
            lot = await credit_lot.grant(session, actor, note=body.note, own=body.own(), **what)
            own = await metadata.get(session, lot.id, lot.org_id)
            command.version = version_of(own)
            return command.answer(LotView.of(lot, own))


_GRANTS = ListEndpoint(
    "grants",
    LotView,
    *(*CREATED, "organization_id", "min_amount", "max_amount", "q"),
    order=["lot"],
    currency=CREDIT,
    has_metadata=True,
)


@_GRANTS.get(router, "/credits/grants", NotFound, tags=["grants"], operation_id="grants.list")
async def list_grants(
    deps: DepsDep, asked: ListRequest, *, key: SpendingKeyDep, actor: Actor = require(Permission.READ_BILLING)
) -> Items:
    """List the grants of credits as they were made, newest first. `GET /credits/lots` shows what is left of them.

    A key of a member that is attributed to a department or project is refused.
    """
    refuse_totals(confined_key(actor, key))
    wanted = asked.wanted(listed_organization(actor, asked.organization_id))
    async with deps.session_for(actor) as session:
        found = await grants.page(session, wanted, granted=True)
        own = await visible_metadata(session, actor, {row.id: row.org_id for row in found.rows})
    return items_of(found, lambda row: LotView.of(row, own.get(row.id)))


@router.get("/credits/grants/{grant_id}", tags=["grants"], operation_id="grants.get")
async def get_grant(grant_id: str, deps: DepsDep, actor: ActorDep, key: SpendingKeyDep, response: Response) -> LotView:
    """Read one grant of credits. Its `ETag` is the version of its `external_id` and `metadata`."""
    async with deps.session_for(actor) as session:
        row = await grants.get(session, grant_id)
        permit(actor, Permission.READ_BILLING)
        refuse_totals(confined_key(actor, key))
        own = (await visible_metadata(session, actor, {row.id: row.org_id})).get(row.id)
    tagged(response, own)
    return LotView.of(row, own)


@router.patch(
    "/credits/grants/{grant_id}",
    response_model=LotView,
    responses=errors(refusals.ExternalIdTaken),
    tags=["grants"],
    operation_id="grants.update",
)
async def update_grant(
    grant_id: str, body: GrantUpdate, deps: DepsDep, actor: ActorDep, expected: PreconditionDep, command: MayRepeat
) -> Response:
    """Change the `external_id` and `metadata` of a grant of credits. For its organization and operators."""
    async with deps.session_for(actor) as session:
        row = await grants.get(session, grant_id)
    permit(actor, Permission.GRANT_CREDITS if actor.is_platform else Permission.MANAGE_BILLING)

    async def show(own: ObjectMetadata | None) -> LotView:
        return LotView.of(row, own)

    # Rows of grants are never locked, because nothing of them changes.
    target = MetadataTarget(
        noun="grant", object_id=row.id, org_id=row.org_id, lock=lambda session: lock_command(session, row.id), show=show
    )
    return await update(deps, actor, command, expected, body, target)


_LIST = ListEndpoint(
    "lots",
    CreditLotView,
    *(*CREATED, "organization_id", "min_amount", "max_amount"),
    order=[UUID],
    currency=CREDIT,
    source=Annotated[LotSource | None, Query(description="Only lots from this source.")],
)


@_LIST.get(router, "/credits/lots", NotFound)
async def list_lots(
    deps: DepsDep, asked: ListRequest, *, key: SpendingKeyDep, actor: Actor = require(Permission.READ_BILLING)
) -> Items:
    """List an organization's lots of credits, newest first: what is left, held and expired of each.

    A key of a member that is attributed to a department or project is refused: all of the organization's spends take
    from these lots.

    Credits that an escrow or a refund returns are in the lot that they came from, or in a lot that expires later. With
    `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
    """
    refuse_totals(confined_key(actor, key))
    wanted = asked.wanted(await known_organization(deps, actor, asked.organization_id))
    return await asked.rows(deps.session_for(actor), lots.page, wanted, CreditLotView.of)
