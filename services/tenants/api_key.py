"""Issuing and revoking of API keys, with alerts on keys that another person could misuse."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.access import SECOND_KEYS, Actor, Permission, Role
from domain.common.errors import Forbidden, NotFound, Unauthenticated
from domain.common.text import rfc3339
from domain.credits.spend.control import SubjectKind
from domain.tenants.api_key import KeyRules
from domain.tenants.session import SessionEnded
from models.tenants.api_key import ApiKey
from repositories.common.command import row_of_command
from repositories.credits import spend_control as controls
from repositories.escrow import signatory as signatories
from repositories.marketplace import agent as agents
from repositories.messages import alert
from repositories.tenants import api_key as keys, audit, organization as organizations, session as sessions
from services.billing import entitlement as entitlements


async def issue(session: AsyncSession, actor: Actor, key: ApiKey, rules: KeyRules, *, own: bool) -> ApiKey:
    """Insert a key, or return the one of this command, and end the sessions that it replaces.

    Args:
        session: of the platform, because tenants cannot write alerts.
        actor: the issuer, who may issue its role.
        key: the new row.
        rules: platform settings.
        own: whether it is a second key of the actor.

    Raises:
        NotFound: the organization or the agent does not exist.
        Unauthenticated, SessionEnded: the actor's own key or session has ended.
        Forbidden: the key would outlive the actor's own, or avoid its spend control.
    """
    org_id = key.org_id
    await _check_references(session, org_id, key.agent_id)
    if org_id is not None:
        await organizations.refuse_closed(session, org_id)
    await _refuse_ended(session, actor, org_id)
    if key.agent_id is not None:
        await agents.refuse_retired(session, key.agent_id)
    await _refuse_to_outlive(session, actor, key)
    was_made = await row_of_command(session, ApiKey, key.command_id) is not None
    if own and not was_made and not actor.may(Permission.MANAGE_SPENDING):
        await _refuse_beside_limited(session, actor)
    # Inviting a person must not give the inviter a second key of an existing principal, which would sign in that
    # principal's name. For the same reason only the principal itself may issue a second key of a platform principal.
    may_be_second = own or (org_id is not None and actor.role in SECOND_KEYS and key.secret_hash is not None)
    most = keys.KEYS_OF_A_PRINCIPAL if may_be_second else 1
    people = 0 if org_id is None else await keys.seats(session, org_id)
    row = await keys.add(session, key, most=most, quota=None if org_id is None else rules.quota)
    await sessions.end_incompatible(session, row)
    if org_id is not None and rules.plans is not None:
        await entitlements.check_seats(session, org_id, rules.plans, principal=row.principal, before=people)
    details: dict[str, object] = {"principal": row.principal, "role": row.role, "agent_id": row.agent_id}
    if row.permissions:
        details["permissions"] = row.permissions
    if not own and await _alert_of_signatory(session, actor, row):
        details["signatory"] = True
    await _alert_of_operator(session, actor, row)
    await audit.record(session, actor, "api_key.create", row.id, details, org_id)
    return row


@dataclass(frozen=True, slots=True)
class RevocationResult:
    """Revoked keys, and active keys that the key issued and the caller may revoke."""

    keys: Sequence[ApiKey]
    issued: Sequence[ApiKey]


async def revoke(session: AsyncSession, actor: Actor, row: ApiKey, *, with_issued: bool) -> RevocationResult:
    """Revoke a key permanently; with `with_issued` also keys that it issued, directly or indirectly. Idempotent.

    The caller's own key and the keys that it issued stay, and so do keys of roles that the caller may not revoke. Needs
    the platform's session, because tenants cannot write keys.
    """
    # Then a key that it issues concurrently exists already, or is refused.
    await keys.lock(session, row.org_id)
    found = await keys.keys_issued_by(session, row.id, besides=actor.key_id)
    issued = [each for each in found if actor.may_revoke(Role(each.role))]
    ended = []
    for each in (row, *(issued if with_issued else ())):
        revoked = await keys.revoke(session, each.id)
        if revoked is not None:
            await audit.record(session, actor, "api_key.revoke", each.id, {"principal": each.principal}, each.org_id)
            ended.append(revoked)
    return RevocationResult(ended, [] if with_issued else issued)


async def _check_references(session: AsyncSession, org_id: str | None, agent_id: str | None) -> None:
    if org_id is not None:
        await organizations.get(session, org_id)
    if agent_id is not None and (await agents.get(session, agent_id)).org_id != org_id:
        raise NotFound(agents.MISSING)


async def _refuse_ended(session: AsyncSession, actor: Actor, org_id: str | None) -> None:
    """Lock the caller's key and session; refuse ended ones.

    So a concurrent revocation finds every key that it has issued.
    """
    # First, as everybody else who changes keys.
    await keys.lock(session, org_id)
    if actor.key_id is not None and not await keys.is_active(session, actor.key_id, held=True):
        raise Unauthenticated("The key is unknown, revoked or expired.")
    if actor.session_id is not None and not await sessions.lock_active(session, actor.session_id):
        raise SessionEnded


async def _refuse_to_outlive(session: AsyncSession, actor: Actor, key: ApiKey) -> None:
    """Refuse a key that expires after the caller's own, unless the caller may issue keys to others."""
    if actor.may_grant(Role(key.role)) or actor.key_id is None:
        return
    until = (await keys.get(session, actor.key_id)).expires_at
    if until is not None and (key.expires_at is None or key.expires_at > until):
        raise Forbidden(
            f"A key that you issue to yourself must not expire later than your own key, at {rfc3339(until)}."
        )


async def _refuse_beside_limited(session: AsyncSession, actor: Actor) -> None:
    """Refuse a second key for a principal whose key has a spend control, which would not apply to it."""
    if actor.org_id is None or actor.key_id is None:
        return
    if await controls.has_open(session, actor.org_id, SubjectKind.KEY, actor.key_id):
        raise Forbidden(
            "Your key has a spend control, so you cannot issue your own second key. Ask an owner or an operator."
        )


async def _alert_of_signatory(session: AsyncSession, actor: Actor, key: ApiKey) -> bool:
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


async def _alert_of_operator(session: AsyncSession, actor: Actor, key: ApiKey) -> None:
    """Raise an alert if an operator issued a key, except for the organization's first one."""
    if not actor.is_platform or key.org_id is None or not await keys.has_had_any(session, key.org_id, besides=key.id):
        return
    await alert.raise_alert(
        session,
        kind="api_key.made_by_operator",
        subject=key.id,
        detail=f"The operator {actor.qualified()} issued the key {key.id} of the role {key.role} to {key.principal}. "
        "If the organization did not request it, revoke it with the keys that it issued, and check the audit trail "
        "for what they did.",
        org_id=key.org_id,
        shared=True,
    )
