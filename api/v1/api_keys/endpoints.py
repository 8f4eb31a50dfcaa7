"""API keys: issued within one's own reach, listed, revoked."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from api.auth import ActorDep, permit, require
from api.csv_files import CSV
from api.deps import Deps, DepsDep
from api.errors import errors
from api.fields import Page
from api.idempotency import Command, idempotency
from api.keyring import hash_of, new_secret, token_of
from api.lists import CREATED, After, Asked, Items, ListOf, items_of
from api.routing import Resource
from api.v1.api_keys.schemas import ApiKeyCreate, ApiKeyCreated, ApiKeyView
from domain.access import PERMISSIONS, PLATFORM_ROLES, SECOND_KEYS, Actor, Permission, Role, addable, refuse_by_link
from domain.entitlement import EntitlementMissing
from domain.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from domain.organization import OrganizationClosed
from domain.session import SessionEnded
from domain.spend.control import SubjectKind
from domain.text import rfc3339
from models.api_key import ApiKey
from repositories import agent as agents
from repositories import alert, audit
from repositories import api_key as keys
from repositories import organization as organizations
from repositories import session as sessions
from repositories import signatory as signatories
from repositories import spend_control as controls
from repositories.command import made_by
from runtime.identity import new_id
from services import entitlement as entitlements

router = Resource(tags=["api_keys"])


def _organization_for(actor: Actor, body: ApiKeyCreate) -> str | None:
    """Return whose the new key will be; null is the platform's own."""
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


async def _check_references(session: AsyncSession, org_id: str | None, agent_id: str | None) -> None:
    if org_id is not None:
        await organizations.get(session, org_id)
    if agent_id is not None and (await agents.get(session, agent_id)).org_id != org_id:
        raise NotFound(agents.MISSING)


async def _refuse_ended(session: AsyncSession, actor: Actor, org_id: str | None) -> None:
    """Keep the caller's key and session from being ended meanwhile.

    A list of keys after the revocation includes every key that it has issued.
    """
    # First, as everybody else who changes keys.
    await keys.lock(session, org_id)
    if actor.key_id is not None and not await keys.is_active(session, actor.key_id, held=True):
        raise Unauthenticated("The key is unknown, revoked or expired.")
    if actor.session_id is not None and not await sessions.hold(session, actor.session_id):
        raise SessionEnded


async def _refuse_to_outlive(session: AsyncSession, actor: Actor, body: ApiKeyCreate) -> None:
    """Refuse a key that expires after the caller's own, unless the caller may issue keys to others."""
    if actor.may_grant(body.role) or actor.key_id is None:
        return
    until = (await keys.get(session, actor.key_id)).expires_at
    if until is not None and (body.expires_at is None or body.expires_at > until):
        raise Forbidden(
            f"A key that you issue to yourself must not expire later than your own key, at {rfc3339(until)}."
        )


async def _refuse_beside_limited(session: AsyncSession, actor: Actor) -> None:
    """Refuse a second key beside one that has a spend control, because the control would not hold for it."""
    if actor.org_id is None or actor.key_id is None:
        return
    if await controls.has_open(session, actor.org_id, SubjectKind.KEY, actor.key_id):
        raise Forbidden(
            "Your key has a spend control, so you cannot issue your own second key. Ask an owner or an operator."
        )


async def _alert_of_signatory(session: AsyncSession, actor: Actor, key: ApiKey) -> bool:
    """Alert the organization of a key that another person made for a signatory; returns whether it is one."""
    if key.org_id is None or not await signatories.is_named(session, key.org_id, key.principal):
        return False
    await alert.raise_alert(
        session,
        kind="api_key.made_for_signatory",
        subject=key.id,
        detail=f"{actor.qualified()} issued the key {key.id} to {key.principal}, who signs contracts. "
        f"If {key.principal} did not request it, revoke it and check the audit trail for what it has signed.",
        org_id=key.org_id,
        shared=True,
    )
    return True


async def _alert_of_operator(session: AsyncSession, deps: Deps, actor: Actor, key: ApiKey) -> None:
    """Alert where an operator made a key with which one could refund alone what takes two operators."""
    refunds = Permission.REFUND_PAYMENT in PERMISSIONS[Role(key.role)]
    if deps.settings.two_operators_above is None or not (actor.is_platform and key.org_id and refunds):
        return
    # The first key ever must be possible, before anything can have been paid.
    if not await keys.has_had_any(session, key.org_id, besides=key.id):
        return
    await alert.raise_alert(
        session,
        kind="api_key.made_by_operator",
        subject=key.id,
        detail=f"The operator {actor.qualified()} issued the key {key.id} of the role {key.role} to {key.principal}. "
        "It refunds payments without a second operator. If the organization did not request it, revoke it and check "
        "the audit trail for what it has refunded.",
        org_id=key.org_id,
        shared=True,
    )


@router.post(
    "/api-keys",
    status_code=201,
    response_model=ApiKeyCreated,
    responses=errors(
        NotFound,
        (Forbidden, "session.by_link"),
        (Conflict, "principal.exists"),
        (Conflict, "api_key.limit_reached"),
        EntitlementMissing,
        OrganizationClosed,
    ),
)
async def create_api_key(
    body: ApiKeyCreate,
    deps: DepsDep,
    actor: ActorDep,
    command: Command = idempotency(required=False),
) -> Response:
    """Issue a key. The secret is in this response only; a replayed response does not contain it.

    Every principal may issue its own second key. Others may issue a principal's first key; its second key only owners
    and operators.
    """
    own = _is_own(actor, body)
    refuse_by_link(actor, "issue keys")
    if not own:
        permit(actor, Permission.MANAGE_KEYS)

    async def create() -> ApiKeyCreated:
        org_id = _organization_for(actor, body)
        _check(actor, body)
        secret = new_secret()
        key = ApiKey(
            id=new_id("key"),
            org_id=org_id,
            principal=body.principal,
            role=body.role.value,
            agent_id=body.agent_id,
            permissions=sorted({each.value for each in body.permissions}),
            secret_hash=hash_of(secret),
            created_by=actor.qualified(),
            command_id=command.command_id,
            expires_at=body.expires_at,
        )
        # The platform's role: a tenant raises no alerts.
        async with deps.database.platform() as session:
            await _check_references(session, org_id, body.agent_id)
            if org_id is not None:
                await organizations.refuse_closed(session, org_id)
            await _refuse_ended(session, actor, org_id)
            await _refuse_to_outlive(session, actor, body)
            was_made = await made_by(session, ApiKey, command.command_id) is not None
            if own and not was_made and not actor.may(Permission.MANAGE_SPENDING):
                await _refuse_beside_limited(session, actor)
            quota = None if org_id is None else deps.settings.api_keys_per_organization
            most = keys.KEYS_OF_A_PRINCIPAL if own or actor.role in SECOND_KEYS else 1
            people = 0 if org_id is None else await keys.seats(session, org_id)
            row = await keys.add(session, key, most=most, quota=quota)
            await sessions.end_beside(session, row)
            if org_id is not None and deps.settings.limit_seats:
                plans = deps.settings.plan_book
                await entitlements.check_seats(session, org_id, plans, principal=row.principal, before=people)
            details: dict[str, object] = {"principal": row.principal, "role": row.role, "agent_id": row.agent_id}
            if row.permissions:
                details["permissions"] = row.permissions
            if not own and await _alert_of_signatory(session, actor, row):
                details["signatory"] = True
            await _alert_of_operator(session, deps, actor, row)
            await audit.record(session, actor, "api_key.create", row.id, details, org_id)
            return ApiKeyCreated.with_secret(row, token_of(row.id, secret))

    return await command.run(create, status_code=201, hide=frozenset({"secret"}))


_LIST = ListOf(
    "api-keys",
    ApiKeyView,
    *(*CREATED, "organization_id", "agent_id", "q"),
    order=["key"],
    active=Annotated[bool, Query(description="Exclude revoked and expired keys.")],
    role=Annotated[Role | None, Query(description="Only keys of this role.")],
)


@router.get("/api-keys", response_model=Page[ApiKeyView], responses=errors(NotFound) | CSV)
async def list_api_keys(
    deps: DepsDep,
    asked: Annotated[Asked, _LIST.asked],
    actor: Actor = require(Permission.READ_AUDIT),
) -> Response:
    """List keys, newest first. An operator sees all keys, or those of one organization.

    With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
    """
    organization_id = asked.organization_id
    if organization_id is not None:
        async with deps.session_for(actor) as session:
            await organizations.get(session, organization_id)
    wanted = asked.wanted(actor.org_id or organization_id, without=["active"])

    async def read(after: After, limit: int) -> Items:
        async with deps.session_for(actor) as session:
            found = await keys.page(session, wanted, active_only=bool(asked.get("active")), after=after, limit=limit)
            return items_of(found, ApiKeyView.of)

    return await asked.answer(read)


@router.delete("/api-keys/{key_id}", status_code=204, responses=errors(NotFound))
async def revoke_api_key(key_id: str, deps: DepsDep, actor: ActorDep) -> None:
    """Revoke a key permanently and immediately. Revoking it again changes nothing."""
    async with deps.session_for(actor) as session:
        row = await keys.get(session, key_id)
        permit(actor, Permission.MANAGE_KEYS)
        if not actor.may_revoke(Role(row.role)):
            raise Forbidden(f"The role {actor.role.value} may not revoke keys of the role {row.role}.")
        if await keys.revoke(session, row.id):
            await audit.record(session, actor, "api_key.revoke", row.id, {"principal": row.principal}, row.org_id)
    deps.keyring.forget(key_id)
