"""The audit trail: a tenant reads what concerns it and what its own principals did, an operator all of it."""

from typing import Annotated

from fastapi import Query

from api.auth import require
from api.deps import DepsDep
from api.fields import SearchText
from api.lists import CREATED, Items, ListEndpoint, ListRequest
from api.routing import Resource
from api.tenancy import visible_organization
from api.v1.audit.schemas import AuditView
from domain.common.access import Actor, Permission
from domain.common.errors import NotFound
from repositories.tenants import audit

router = Resource(tags=["audit"])

_LIST = ListEndpoint(
    "audit",
    AuditView,
    *(*CREATED, "organization_id", "q"),
    order=[int],
    action=Annotated[SearchText | None, Query(description="Only this action, for example `api_key.create`.")],
    target=Annotated[SearchText | None, Query(description="Only actions on this id.")],
    principal=Annotated[SearchText | None, Query(description="Only actions of this principal.")],
)


@_LIST.get(router, "/audit", NotFound)
async def list_audit(deps: DepsDep, asked: ListRequest, actor: Actor = require(Permission.READ_AUDIT)) -> Items:
    """List privileged actions, newest first. For operators, `organization_id` finds actions by it and on it."""
    wanted = asked.wanted(visible_organization(actor, asked.organization_id))
    return await asked.rows(deps.session_for(actor), audit.page, wanted, lambda row: AuditView.of(row, actor))
