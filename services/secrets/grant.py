"""Creation and revocation of grants of secrets."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.access import Actor, refuse_operator_issued
from domain.common.errors import Invalid, SecretLimitReached
from domain.secrets.grant import MAX_GRANTS, NewGrant, checked
from models.secrets.grant import SecretGrant
from repositories.common.command import existing_row, lock_command
from repositories.marketplace import agent as agents
from repositories.secrets import grant as grants
from repositories.tenants import api_key, audit, organization
from runtime.identity import new_id

_ASKED = (
    "org_id",
    "principal",
    "agent_id",
    "paths",
    "verbs",
    "hosts",
    "methods",
    "places",
    "headers",
    "uses_per_day",
    "price_minor",
    "charged_statuses",
)


async def create(
    session: AsyncSession,
    actor: Actor,
    org_id: str,
    wanted: NewGrant,
    *,
    agents_read: bool,
    command_id: str,
    now: datetime,
) -> SecretGrant:
    """Grant a principal or an agent access to secrets, or return the grant of the command.

    Raises:
        Invalid: the request is wrong, or the grantee does not exist; it names the field.
    """
    refuse_operator_issued(actor, await api_key.issuer_chain(session, actor), "grant secrets")
    await lock_command(session, command_id)
    new = checked(wanted, agents_read=agents_read, now=now)
    row = SecretGrant(
        id=new_id(grants.PREFIX),
        org_id=org_id,
        principal=new.principal,
        agent_id=new.agent_id,
        paths=list(new.paths),
        verbs=[verb.value for verb in new.verbs],
        hosts=list(new.hosts),
        methods=[method.value for method in new.methods],
        places=list(new.places),
        headers=list(new.headers),
        uses_per_day=new.uses_per_day,
        price_minor=new.price_minor,
        meter=new.meter,
        charged_statuses=list(new.charged_statuses),
        ends_at=new.ends_at,
        created_by=actor.qualified(),
        command_id=command_id,
        created_at=now,
        revoked_at=None,
        revoked_by=None,
    )
    made = await existing_row(session, row, (*_ASKED, "meter", "ends_at"))
    if made is not None:
        return made
    await organization.lock(session, org_id)
    if new.agent_id is not None:
        agent = await agents.get(session, new.agent_id)
        if agent.org_id != org_id or agent.retired_at is not None:
            raise Invalid("There is no such agent in your organization.", extra={"field": "agent_id"})
    elif new.principal is not None and not await _may_hold(session, org_id, new.principal):
        raise Invalid(
            "No person of your organization has an active key with this name. To grant an agent, send agent_id.",
            extra={"field": "principal"},
        )
    if await grants.count(session, org_id, now) >= MAX_GRANTS:
        raise SecretLimitReached(
            f"The organization has {MAX_GRANTS} grants in force. Revoke some first.", extra={"limit": MAX_GRANTS}
        )
    session.add(row)
    await session.flush()
    details = {"to": new.principal or new.agent_id, "paths": row.paths, "verbs": row.verbs, "hosts": row.hosts}
    await audit.record(session, actor, "secret.grant", row.id, details, org_id)
    return row


async def revoke(session: AsyncSession, actor: Actor, org_id: str, grant_id: str, *, now: datetime) -> SecretGrant:
    """Revoke a grant. Idempotent."""
    row = await grants.locked(session, org_id, grant_id)
    if row.revoked_at is None:
        row.revoked_at, row.revoked_by = now, actor.qualified()
        await session.flush()
        await audit.record(session, actor, "secret.revoke_grant", row.id, {}, org_id)
    return row


async def _may_hold(session: AsyncSession, org_id: str, principal: str) -> bool:
    return any(key.agent_id is None for key in await api_key.active_of(session, org_id, principal))
