"""The audit trail: a tenant reads what concerns it and what its own principals did, an operator all of it."""

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from api.auth import require
from api.csv_files import CSV
from api.deps import DepsDep
from api.errors import errors
from api.fields import Page, SearchText
from api.lists import CREATED, After, Asked, Items, ListOf, items_of
from api.routing import Resource
from api.tenancy import visible_organization
from api.v1.audit.schemas import AuditView
from domain.common.access import Actor, Permission
from domain.common.errors import NotFound
from repositories.tenants import audit

router = Resource(tags=["audit"])

_LIST = ListOf(
    "audit",
    AuditView,
    *(*CREATED, "organization_id", "q"),
    order=[int],
    action=Annotated[SearchText | None, Query(description="Only this action, for example `api_key.create`.")],
    target=Annotated[SearchText | None, Query(description="Only actions on this id.")],
    principal=Annotated[SearchText | None, Query(description="Only actions of this principal.")],
)


@router.get("/audit", response_model=Page[AuditView], responses=errors(NotFound) | CSV)
async def list_audit(
    deps: DepsDep,
    asked: Annotated[Asked, _LIST.asked],
    actor: Actor = require(Permission.READ_AUDIT),
) -> Response:
    """List privileged actions, newest first. For operators, `organization_id` finds actions by it and on it."""
    wanted = asked.wanted(visible_organization(actor, asked.organization_id))

    async def read(after: After, limit: int) -> Items:
        async with deps.session_for(actor) as session:
            found = await audit.page(session, wanted, after=after, limit=limit)
            return items_of(found, lambda row: AuditView.of(row, actor))

    return await asked.answer(read)
