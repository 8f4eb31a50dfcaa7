"""Referrals: whom an organization has brought, and what became of it."""

from typing import Annotated

from fastapi import Query

from api.auth import require
from api.deps import DepsDep
from api.errors import errors
from api.fields import OrganizationId, Page
from api.pagination import DEFAULT_LIMIT, CursorParam, LimitParam, encode_cursor, id_cursor
from api.routing import Resource
from api.tenancy import listed_organization
from api.v1.referrals.schemas import ReferralView
from domain.access import Actor, Permission
from domain.errors import NotFound
from repositories import referral

router = Resource(tags=["referrals"])


@router.get("/referrals", response_model=Page[ReferralView], responses=errors(NotFound))
async def list_referrals(
    deps: DepsDep,
    limit: LimitParam = DEFAULT_LIMIT,
    cursor: CursorParam = None,
    organization_id: Annotated[OrganizationId | None, Query(description="For operators, who name one.")] = None,
    actor: Actor = require(Permission.READ),
) -> Page[ReferralView]:
    """List whom the organization has referred, and who has referred it, the newest organizations first."""
    org_id, after = listed_organization(actor, organization_id), id_cursor(cursor, "org")
    async with deps.session_for(actor) as session:
        rows = await referral.page(session, org_id=org_id, after=after, limit=limit + 1)
    following = encode_cursor("org", rows[limit - 1].org_id) if len(rows) > limit else None
    return Page(data=[ReferralView.of(row) for row in rows[:limit]], next_cursor=following)
