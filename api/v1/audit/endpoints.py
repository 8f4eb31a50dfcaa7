"""The audit trail: a tenant reads what concerns it and what its own principals did, an operator all of it."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.auth import require
from api.deps import DepsDep
from api.errors import errors
from api.fields import OrganizationId, Page, SearchText
from api.pagination import CursorParam, LimitParam, decode_cursor, encode_cursor
from api.tenancy import visible_organization
from api.v1.audit.schemas import AuditView
from domain.access import Actor, Permission
from domain.errors import NotFound
from repositories import audit

router = APIRouter(tags=["audit"])

_CURSOR = "audit"


@router.get("/audit", response_model=Page[AuditView], responses=errors(NotFound))
async def list_audit(
    deps: DepsDep,
    organization_id: Annotated[
        OrganizationId | None, Query(description="For operators: only actions by or on this organization.")
    ] = None,
    action: Annotated[SearchText | None, Query(description="Only this action, for example `api_key.create`.")] = None,
    target: Annotated[SearchText | None, Query(description="Only actions on this id.")] = None,
    limit: LimitParam = 50,
    cursor: CursorParam = None,
    actor: Actor = require(Permission.READ_AUDIT),
) -> Page[AuditView]:
    """List privileged actions, newest first."""
    before: int | None = None
    if cursor is not None:
        (before,) = decode_cursor(cursor, _CURSOR, int)
    org_id = visible_organization(actor, organization_id)
    async with deps.session_for(actor) as session:
        rows = await audit.page(session, org_id=org_id, action=action, target=target, before=before, limit=limit + 1)
    more = len(rows) > limit
    shown = rows[:limit]
    return Page(
        data=[AuditView.of(row, actor) for row in shown],
        next_cursor=encode_cursor(_CURSOR, shown[-1].id) if more else None,
    )
