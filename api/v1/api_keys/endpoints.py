"""API keys: issue them within the caller's own rights, list and revoke them."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from api.auth import ActorDep, permit, require
from api.deps import DepsDep
from api.errors import errors
from api.idempotency import MayRepeat
from api.keyring import new_secret
from api.lists import CREATED, Items, ListEndpoint, ListRequest, items_of
from api.risk import RISKY
from api.routing import Resource
from api.v1.api_keys.schemas import ApiKeyCreate, ApiKeyCreated, ApiKeyRevoked, ApiKeyView
from domain.common import errors as refusals
from domain.common.access import PLATFORM_ROLES, Actor, Permission, Role, addable, refuse_by_link
from domain.common.errors import Forbidden, Invalid, NotFound
from domain.risk.act import Point, RiskAct
from domain.tenants.token import hash_of, token_of
from models.tenants.api_key import ApiKey
from repositories.tenants import api_key as keys, organization as organizations
from runtime.identity import new_id
from services.tenants import api_key as service

router = Resource(tags=["api_keys"])


def _organization_for(actor: Actor, body: ApiKeyCreate) -> str | None:
    """Return the organization of the new key; null for a key of the platform."""
    if not actor.is_platform:
        if body.organization_id not in {None, actor.org_id}:
            raise NotFound(organizations.MISSING)
        return actor.org_id
    if (body.organization_id is None) != (body.role in PLATFORM_ROLES):
        raise Invalid(
            "organization_id must be left out for a platform role, and is required for every other role.",
            extra={"field": "organization_id"},
        )
    return body.organization_id


def _is_own(actor: Actor, body: ApiKeyCreate) -> bool:
    """Return whether the key is for the caller's own principal, with the same role."""
    asked = (body.organization_id or actor.org_id, body.principal.lower(), body.role, body.agent_id)
    return asked == (actor.org_id, actor.principal.lower(), actor.role, actor.agent_id)


def _check(actor: Actor, body: ApiKeyCreate) -> None:
    if not (_is_own(actor, body) or actor.may_grant(body.role)):
        raise Forbidden(f"The role {actor.role.value} may not issue keys of the role {body.role.value}.")
    if (body.role is Role.AGENT) != (body.agent_id is not None):
        raise Invalid(
            "agent_id is required for the role agent and not allowed for any other role.", extra={"field": "agent_id"}
        )
    if beyond := [each for each in body.permissions if each not in addable(body.role)]:
        raise Invalid(
            f"A key of the role {body.role.value} cannot be given {beyond[0].value}. Leave it out.",
            extra={"field": "permissions"},
        )
    if lacked := [each for each in body.permissions if not actor.may(each)]:
        raise Forbidden(f"Your key does not have {lacked[0].value}, so it cannot issue a key that has it.")
    if body.expires_at is not None and body.expires_at <= datetime.now(UTC):
        raise Invalid("expires_at must be in the future. Send a later time.", extra={"field": "expires_at"})


@router.post(
    "/api-keys",
    status_code=201,
    response_model=ApiKeyCreated,
    responses=errors(
        NotFound,
        refusals.SessionByLink,
        refusals.PrincipalExists,
        refusals.ApiKeyLimitReached,
        refusals.EntitlementMissing,
        refusals.OrganizationClosed,
        refusals.AgentRetired,
        *RISKY,
    ),
)
async def create_api_key(body: ApiKeyCreate, deps: DepsDep, actor: ActorDep, command: MayRepeat) -> Response:
    """Issue a key. The secret is in this response only; a replayed response does not contain it.

    Every principal may issue its own second key. Others may issue a principal's first key; only owners and operators
    may issue its second key, and nobody that of another principal of the platform.
    """
    own = _is_own(actor, body)
    refuse_by_link(actor, "issue keys")
    if not own:
        permit(actor, Permission.MANAGE_KEYS)
    async with command, deps.database.platform() as session:
        org_id = _organization_for(actor, body)
        _check(actor, body)
        secret, key_id = new_secret(), new_id("key")
        act = RiskAct(point=Point.KEY, actor=actor, org_id=actor.org_id, subject=key_id, command_id=command.command_id)
        await deps.risk.require(session, act, datetime.now(UTC))
        key = ApiKey(
            id=key_id,
            org_id=org_id,
            principal=body.principal,
            role=body.role.value,
            agent_id=body.agent_id,
            permissions=sorted({each.value for each in body.permissions}),
            secret_hash=hash_of(secret),
            created_by=actor.qualified(),
            issued_by=actor.key_id,
            command_id=command.command_id,
            expires_at=body.expires_at,
        )
        # As the platform's role, because a tenant's role cannot raise alerts.
        row = await service.issue(session, actor, key, deps.settings.key_rules, own=own)
        return command.answer(ApiKeyCreated.with_secret(row, token_of(row.id, secret)), hide=frozenset({"secret"}))


_LIST = ListEndpoint(
    "api-keys",
    ApiKeyView,
    *(*CREATED, "organization_id", "agent_id", "q"),
    order=["key"],
    active=Annotated[bool, Query(description="Exclude revoked and expired keys.")],
    role=Annotated[Role | None, Query(description="Only keys of this role.")],
)


@_LIST.get(router, "/api-keys", NotFound)
async def list_api_keys(deps: DepsDep, asked: ListRequest, actor: Actor = require(Permission.READ)) -> Items:
    """List keys, newest first. An operator sees all keys, or those of one organization.

    Members and agents' keys see the keys of their own principal.
    """
    if actor.is_platform:
        permit(actor, Permission.READ_AUDIT)
    own, organization_id = None if actor.may(Permission.READ_AUDIT) else actor.principal, asked.organization_id
    if organization_id is not None:
        async with deps.session_for(actor) as session:
            await organizations.get(session, organization_id)
    wanted = asked.wanted(actor.org_id or organization_id, without=["active"])
    async with deps.session_for(actor) as session:
        found = await keys.page(session, wanted, active_only=bool(asked.get("active")), principal=own)
        return items_of(found, ApiKeyView.of)


@router.delete("/api-keys/{key_id}")
async def revoke_api_key(
    key_id: str,
    deps: DepsDep,
    actor: ActorDep,
    *,
    with_issued: Annotated[
        bool, Query(description="Also revoke the keys that it issued, directly or through others.")
    ] = False,
) -> ApiKeyRevoked:
    """Revoke a key permanently and immediately. Revoking it again changes nothing.

    The response lists the active keys that it issued. Your own key and those that it issued are left out.
    """
    async with deps.session_for(actor) as session:
        row = await keys.get(session, key_id)
        permit(actor, Permission.MANAGE_KEYS)
        if not actor.may_revoke(Role(row.role)):
            raise Forbidden(f"The role {actor.role.value} may not revoke keys of the role {row.role}.")
    async with deps.database.platform() as session:
        done = await service.revoke(session, actor, row, with_issued=with_issued)
    for each in done.keys:
        deps.keyring.forget(each.id)
    return ApiKeyRevoked(
        revoked=[ApiKeyView.of(each) for each in done.keys], issued=[ApiKeyView.of(each) for each in done.issued]
    )
