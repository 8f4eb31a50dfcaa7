"""Statements about API keys."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg
from sqlalchemy import func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.access import Actor, Role
from domain.common.errors import ApiKeyLimitReached, IdempotencyConflict, PrincipalExists
from domain.common.ids import is_id
from models.payments.payment import PaymentRow
from models.tenants.api_key import ApiKey
from models.tenants.session import Session
from repositories.common.command import lock_command, require_same_request
from repositories.common.listing import ListFilter, Listing, ListPage, Part
from repositories.common.required import require_found

#: PostgreSQL's notification channel of changes of keys, with the key's id.
CHANNEL = "bursar_api_keys"

#: Maximum number of active keys of a principal: the one in use, and one to replace it.
KEYS_OF_A_PRINCIPAL = 2

#: Advice in refusals, for callers who may issue the first key only, or the second as well.
_WAYS_OUT = {False: "Revoke it first, have the principal or an owner issue the second", True: "Revoke one first"}
_OF_PLATFORM = "Revoke it first, have the principal itself issue the second"

_LOOKUP = """
    SELECT k.*, a.*, api_key_permissions($1) AS permissions FROM api_key_lookup($1) k, api_key_attribution($1) a
"""
_ASKED = ("org_id", "principal", "role", "agent_id", "permissions", "created_by", "expires_at")


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """Data of a key for a request; department and project are its own, else its agent's.

    `permissions` are additional to the role's. The key of a person has no `secret_hash`.
    """

    org_id: str | None
    principal: str
    role: str
    agent_id: str | None
    secret_hash: bytes | None
    expires_at: datetime | None
    revoked_at: datetime | None
    department_id: str | None
    project_id: str | None
    permissions: Sequence[str]


async def lookup(pool: "asyncpg.Pool[asyncpg.Record]", key_id: str) -> KeyRecord | None:
    """Find a key by its exact id, of any organization; the caller checks the secret."""
    row = await pool.fetchrow(_LOOKUP, key_id)
    return KeyRecord(**dict(row)) if row else None


async def attribution_of(connection: asyncpg.Connection, key_id: str | None) -> tuple[str | None, str | None]:
    """Return the department and project charged for a key's spends: its own, else its agent's."""
    row = await connection.fetchrow("SELECT department_id, project_id FROM api_key_attribution($1)", key_id)
    return (None, None) if row is None else (row["department_id"], row["project_id"])


async def touch(session: AsyncSession, used: Mapping[str, datetime]) -> None:
    """Set the time of last use of several keys; needs a platform session."""
    await session.execute(
        text(
            "UPDATE api_keys k SET last_used_at = u.at "
            "FROM unnest(CAST(:ids AS text[]), CAST(:times AS timestamptz[])) AS u(id, at) "
            "WHERE k.id = u.id AND (k.last_used_at IS NULL OR k.last_used_at < u.at)"
        ),
        {"ids": list(used), "times": list(used.values())},
    )


async def lock(session: AsyncSession, org_id: str | None) -> None:
    """Lock the keys of an organization, or of the platform, against new ones until the transaction ends."""
    await lock_command(session, f"api_keys:{org_id or 'platform'}")


async def add(
    session: AsyncSession, key: ApiKey, *, most: int = KEYS_OF_A_PRINCIPAL, quota: int | None = None
) -> ApiKey:
    """Insert the key, or return the one of this command with the new secret.

    Issuing keys of the organization is locked until the transaction ends. Names of principals are compared without
    case, and the key gets the existing spelling. A second key gets the department and project of the first.

    Args:
        session: of the organization or the platform.
        key: the new row; `place` is set here.
        most: the maximum number of active keys of the principal, with this one.
        quota: the maximum number of active keys of the organization, with this one.

    Raises:
        IdempotencyConflict: the command created another key, or one that is revoked or in use by now.
    """
    await lock(session, key.org_id)
    whose = ApiKey.org_id == key.org_id if key.org_id else ApiKey.org_id.is_(None)
    unrevoked = (whose, ApiKey.revoked_at.is_(None))
    await session.execute(
        update(ApiKey).where(*unrevoked, ApiKey.expires_at <= func.now()).values(revoked_at=ApiKey.expires_at)
    )
    found = (await session.scalars(select(ApiKey).where(ApiKey.command_id == key.command_id))).one_or_none()
    if found is not None:
        return await _with_secret(session, found, key)
    same = func.lower(ApiKey.principal) == key.principal.lower()
    active = (await session.scalars(select(ApiKey).where(*unrevoked, same).order_by(ApiKey.id))).all()
    _refuse_another(key, active, most)
    if quota is not None:
        held = await session.scalar(select(func.count()).select_from(ApiKey).where(*unrevoked))
        if (held or 0) >= quota:
            raise ApiKeyLimitReached(
                f"The organization has {quota} active keys, which is the maximum. Revoke one that is not used.",
                extra={"limit": quota},
            )
    key.permissions = key.permissions or []
    key.place = 1 + (1 in {other.place for other in active})
    if active:
        # Otherwise a key with spend controls could issue itself one without.
        key.department_id, key.project_id = active[0].department_id, active[0].project_id
        key.principal = active[0].principal
    columns = ("id", "secret_hash", "command_id", "place", "department_id", "project_id", "issued_by", *_ASKED)
    statement = insert(ApiKey).values({name: getattr(key, name) for name in columns}).returning(ApiKey)
    return (await session.scalars(statement)).one()


def _refuse_another(key: ApiKey, active: Sequence[ApiKey], most: int) -> None:
    if any((other.role, other.agent_id) != (key.role, key.agent_id) for other in active):
        raise PrincipalExists(
            f"The principal {key.principal} has an active key for another role or agent. Choose another principal."
        )
    if len(active) >= most:
        count = "an active key" if most == 1 else f"{most} active keys"
        way = _OF_PLATFORM if most == 1 and key.org_id is None else _WAYS_OUT[most > 1]
        raise PrincipalExists(f"The principal {key.principal} has {count}. {way}, or choose another principal.")


async def _with_secret(session: AsyncSession, found: ApiKey, key: ApiKey) -> ApiKey:
    if found.principal.lower() == key.principal.lower():
        key.principal = found.principal
    if found.secret_hash is None:
        # An invitation: it has no secret, and its end follows from the time of the request.
        key.expires_at = found.expires_at
    require_same_request(found, key, _ASKED)
    if found.secret_hash is None:
        return found
    # The key was used: a new secret would lock its holder out and let the caller act in their place.
    again = (
        update(ApiKey)
        .where(ApiKey.id == found.id, ApiKey.revoked_at.is_(None), ApiKey.last_used_at.is_(None))
        .values(secret_hash=key.secret_hash)
        .returning(ApiKey)
    )
    renewed = (await session.scalars(again)).one_or_none()
    if renewed is None:
        raise IdempotencyConflict(
            "The API key of this Idempotency-Key is revoked or already used. Choose a new Idempotency-Key."
        )
    return renewed


async def unrevoked_of(session: AsyncSession, org_id: str, principal: str) -> Sequence[str]:
    """Return the ids of the unrevoked keys of a principal, including expired ones."""
    whose = (ApiKey.org_id == org_id, func.lower(ApiKey.principal) == principal.lower(), ApiKey.revoked_at.is_(None))
    return (await session.scalars(select(ApiKey.id).where(*whose).order_by(ApiKey.id))).all()


async def active_of(session: AsyncSession, org_id: str, principal: str) -> Sequence[ApiKey]:
    """Return the active keys of a principal, the oldest first."""
    whose = (ApiKey.org_id == org_id, func.lower(ApiKey.principal) == principal.lower())
    return (await session.scalars(select(ApiKey).where(*whose, *_active()).order_by(ApiKey.id))).all()


def _active() -> Part:
    return (ApiKey.revoked_at.is_(None), or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > func.now()))


async def invited(session: AsyncSession, org_id: str, principal: str) -> ApiKey | None:
    """Return the key of an invited person who has not accepted yet; None if the invitation has ended."""
    pending = (ApiKey.secret_hash.is_(None), ApiKey.accepted_at.is_(None), *_active())
    whose = (ApiKey.org_id == org_id, func.lower(ApiKey.principal) == principal.lower())
    return (await session.scalars(select(ApiKey).where(*whose, *pending))).one_or_none()


async def people_at(session: AsyncSession, address: str) -> Sequence[ApiKey]:
    who = (ApiKey.secret_hash.is_(None), func.lower(ApiKey.principal) == address.lower())
    found = select(ApiKey).where(*who, ApiKey.accepted_at.is_not(None), *_active())
    return (await session.scalars(found.order_by(ApiKey.id))).all()


async def invite_until(session: AsyncSession, key_id: str, until: datetime) -> ApiKey:
    change = update(ApiKey).where(ApiKey.id == key_id).values(expires_at=until).returning(ApiKey)
    return (await session.scalars(change, execution_options={"populate_existing": True})).one()


async def sign_in(session: AsyncSession, key_id: str) -> bool:
    """Record a sign-in by mail; return whether it accepts the invitation, which then does not expire."""
    first = update(ApiKey).where(ApiKey.id == key_id, ApiKey.accepted_at.is_(None))
    accepted = await session.scalars(first.values(accepted_at=func.now(), expires_at=None).returning(ApiKey.id))
    await session.execute(update(ApiKey).where(ApiKey.id == key_id).values(last_used_at=func.now()))
    return accepted.one_or_none() is not None


async def active_with(session: AsyncSession, org_id: str, roles: Collection[Role]) -> Sequence[str]:
    whose = (ApiKey.org_id == org_id, ApiKey.role.in_([role.value for role in roles]))
    return (await session.scalars(select(ApiKey.id).where(*whose, *_active()).order_by(ApiKey.id))).all()


async def is_active(session: AsyncSession, key_id: str, *, held: bool = False) -> bool:
    """Return whether a key is neither revoked nor expired; with `held` lock it against revocation."""
    query = select(ApiKey.id).where(ApiKey.id == key_id, *_active())
    return (await session.scalars(query.with_for_update(read=True) if held else query)).one_or_none() is not None


async def seats(session: AsyncSession, org_id: str) -> int:
    """Count the seats of an organization: its principals with an active key, other than agents."""
    people = select(func.count(func.lower(ApiKey.principal).distinct())).where(
        ApiKey.org_id == org_id, ApiKey.role != Role.AGENT.value, *_active()
    )
    return (await session.scalars(people)).one()


async def has_had_any(session: AsyncSession, org_id: str, *, besides: str) -> bool:
    key = select(ApiKey.id).where(ApiKey.org_id == org_id, ApiKey.id != besides).exists()
    paid = select(PaymentRow.id).where(PaymentRow.org_id == org_id).exists()
    return bool(await session.scalar(select(or_(key, paid))))


async def find(session: AsyncSession, key_id: str) -> ApiKey | None:
    """Return the key; None if it does not exist or the session may not see it."""
    return await session.get(ApiKey, key_id) if is_id(key_id, "key") else None


async def get(session: AsyncSession, key_id: str) -> ApiKey:
    """Return the key; NotFound if it does not exist or the session may not see it."""
    return require_found(await find(session, key_id), "There is no such key.")


async def revoke(session: AsyncSession, key_id: str) -> ApiKey | None:
    """Revoke a key permanently, and return it; None if it was revoked before."""
    statement = (
        update(ApiKey)
        .where(ApiKey.id == key_id, ApiKey.revoked_at.is_(None))
        .values(revoked_at=func.now())
        .returning(ApiKey)
    )
    return (await session.scalars(statement, execution_options={"populate_existing": True})).one_or_none()


async def keys_issued_by(session: AsyncSession, key_id: str, *, besides: str | None) -> Sequence[ApiKey]:
    """Return the active keys that a key issued, directly or indirectly, newest first.

    `besides` is the caller's key, which is left out with the keys that it issued.
    """
    made = select(ApiKey.id).where(ApiKey.issued_by == key_id, ApiKey.id != (besides or "")).cte(recursive=True)
    made = made.union(select(ApiKey.id).join(made, ApiKey.issued_by == made.c.id).where(ApiKey.id != (besides or "")))
    query = select(ApiKey).where(ApiKey.id.in_(select(made.c.id)), *_active())
    return (await session.scalars(query.order_by(ApiKey.id.desc()))).all()


async def revoke_of_agent(session: AsyncSession, org_id: str, agent_id: str) -> list[str]:
    whose = (ApiKey.org_id == org_id, ApiKey.agent_id == agent_id, ApiKey.revoked_at.is_(None))
    ended = await session.scalars(update(ApiKey).where(*whose).values(revoked_at=func.now()).returning(ApiKey.id))
    return sorted(ended)


async def revoke_all(session: AsyncSession, org_id: str) -> None:
    whose = (ApiKey.org_id == org_id, ApiKey.revoked_at.is_(None))
    await session.execute(update(ApiKey).where(*whose).values(revoked_at=func.now()))


@dataclass(frozen=True, slots=True)
class KeyOrigin:
    """Issuers and time of a key.

    Attributes:
        line: the qualified principals of the key and its chain of issuers, in lower case.
        at: the time of issue.
    """

    line: frozenset[str]
    at: datetime


#: The issuers of a key are all keys that its issuing principal had at that time, except revoked ones: the holder of any
#: of them could have issued it. So a principal is independent again once an operator's key is revoked. A principal has
#: one key at a time in each of its places, so each step finds them by the index. The chain ends at keys of `manage
#: operator-key`, whose principals cannot be named over the API. With `:own` it also ends at the first key of an
#: organization, which the platform must issue, without an alert. With `:people` it also ends at the key of a person who
#: signs in by mail, because nobody else has seen a secret.
LINE = text(
    """
    WITH RECURSIVE keys AS NOT MATERIALIZED (
        SELECT k.id, lower(coalesce(k.org_id || '/', '') || k.principal) AS name, lower(k.created_by) AS issuer,
            k.issued_by, k.place, k.created_at, k.revoked_at, k.command_id = 'bootstrap:' || k.id OR (
                :own AND k.org_id IS NOT NULL
                AND NOT EXISTS (SELECT FROM api_keys o WHERE o.org_id = k.org_id AND o.created_at < k.created_at)
                AND NOT EXISTS (SELECT FROM alerts a WHERE a.key = 'api_key.made_by_operator:' || k.id)
            ) OR (:people AND k.secret_hash IS NULL) AS is_first
        FROM api_keys k
    ), line AS (
        SELECT * FROM keys WHERE id = :key_id
        UNION
        SELECT i.* FROM line CROSS JOIN (VALUES (1), (2)) p (place) CROSS JOIN LATERAL (
            SELECT * FROM (
                SELECT * FROM keys k WHERE k.name = line.issuer AND k.place = p.place AND k.id <> line.id
                    AND k.created_at <= line.created_at ORDER BY k.created_at DESC LIMIT 1
            ) had WHERE had.revoked_at IS NULL OR had.revoked_at >= line.created_at
            -- Also where its revocation began before the key was issued, and waited for that.
            UNION ALL SELECT * FROM keys k WHERE k.id = line.issued_by
        ) i
        WHERE NOT line.is_first
    )
    SELECT name, created_at, id = :key_id AS is_own, CASE WHEN NOT is_first THEN issuer END AS issuer FROM line
    """
)


async def key_origin(
    session: AsyncSession, key_id: str | None, *, first_is_own: bool = False, people_are_own: bool = False
) -> KeyOrigin | None:
    """Return the issuers of a key, of an operator or an organization; None if it does not exist.

    With `first_is_own` the chain ends at an organization's first key, with `people_are_own` at the key of a person who
    signs in by mail.
    """
    rows = (await session.execute(LINE, {"key_id": key_id, "own": first_is_own, "people": people_are_own})).all()
    own = next((row.created_at for row in rows if row.is_own), None)
    if own is None:
        return None
    line = {name for row in rows for name in (row.name, row.issuer) if name is not None}
    return KeyOrigin(frozenset(line), own)


async def issuer_chain(session: AsyncSession, actor: Actor) -> frozenset[str]:
    """Return the chain of issuers of an actor's key, as `key_origin` does with `first_is_own`.

    For a session opened by a link it is the key that created the link. Needs the platform's session.
    """
    key_id = actor.key_id
    if key_id is None and actor.session_id is not None:
        key_id = await session.scalar(select(Session.key_id).where(Session.id == actor.session_id))
    found = await key_origin(session, key_id, first_is_own=True)
    return (frozenset() if found is None else found.line) | {actor.qualified().lower()}


async def is_only_person(session: AsyncSession, org_id: str, name: str, roles: Collection[str]) -> bool:
    """Return whether one person issued all active keys of some roles of an organization.

    A key counts as another person's unless its chain of issuers, with `first_is_own`, contains the name.

    Args:
        session: of the platform.
        org_id: the organization.
        name: the person's qualified principal.
        roles: the roles of the keys.
    """
    whose = (ApiKey.org_id == org_id, ApiKey.role.in_(roles), *_active())
    joined = or_(ApiKey.secret_hash.is_not(None), ApiKey.accepted_at.is_not(None))
    for key_id in await session.scalars(select(ApiKey.id).where(*whose, joined).order_by(ApiKey.id.desc())):
        found = await key_origin(session, key_id, first_is_own=True)
        if found is not None and name.lower() not in found.line:
            return False
    return True


_LIST = Listing(of=ApiKey, order=[ApiKey.id], prefix="key", searched=("principal",))


async def page(
    session: AsyncSession, wanted: ListFilter, *, active_only: bool, principal: str | None
) -> ListPage[ApiKey]:
    """Return a page of keys, newest first: of a principal, or of all."""
    part: Part = () if wanted.org_id is None else (ApiKey.org_id == wanted.org_id,)
    if active_only:
        part = (*part, *_active())
    own = None if principal is None else lambda row: func.lower(row.principal) == principal.lower()
    return await _LIST.page(session, wanted, [part], besides=own)
