"""API keys: finding one for a request, and issuing, listing and revoking them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import asyncpg
from sqlalchemy import func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.errors import Conflict, IdempotencyConflict, NotFound
from domain.ids import is_id
from models.api_key import ApiKey
from repositories.command import refuse_other
from repositories.listing import Part, newest

#: PostgreSQL's channel on which every change of a key is announced, with the key's id.
CHANNEL = "bursar_api_keys"

_ASKED = ("org_id", "principal", "role", "agent_id", "created_by", "expires_at")


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What a request needs to know of its key."""

    org_id: str | None
    principal: str
    role: str
    agent_id: str | None
    secret_hash: bytes
    expires_at: datetime | None
    revoked_at: datetime | None


async def lookup(pool: "asyncpg.Pool[asyncpg.Record]", key_id: str) -> KeyRecord | None:
    """Find a key by its exact id, whoever it belongs to; the caller checks the secret."""
    row = await pool.fetchrow("SELECT * FROM api_key_lookup($1)", key_id)
    return KeyRecord(**dict(row)) if row else None


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


async def add(session: AsyncSession, key: ApiKey) -> ApiKey:
    """Insert the key, or find the one that this command made and give it the new secret, which alone is known now.

    Raises:
        IdempotencyConflict: the command made another key, or one that is revoked by now.
        Conflict: `principal.exists`, the organization has an active key of this principal.
    """
    await session.execute(
        update(ApiKey)
        .where(
            ApiKey.principal == key.principal,
            ApiKey.org_id == key.org_id if key.org_id else ApiKey.org_id.is_(None),
            ApiKey.revoked_at.is_(None),
            ApiKey.expires_at <= func.now(),
        )
        .values(revoked_at=ApiKey.expires_at)
    )
    columns = ("id", "secret_hash", "command_id", *_ASKED)
    statement = (
        insert(ApiKey).values({name: getattr(key, name) for name in columns}).on_conflict_do_nothing().returning(ApiKey)
    )
    made = (await session.scalars(statement)).one_or_none()
    if made is not None:
        return made
    found = (await session.scalars(select(ApiKey).where(ApiKey.command_id == key.command_id))).one_or_none()
    if found is None:
        raise Conflict(
            f"The principal {key.principal} has an active key. Revoke it first, or choose another principal.",
            code="principal.exists",
        )
    refuse_other(found, key, _ASKED)
    again = (
        update(ApiKey)
        .where(ApiKey.id == found.id, ApiKey.revoked_at.is_(None))
        .values(secret_hash=key.secret_hash)
        .returning(ApiKey)
    )
    renewed = (await session.scalars(again)).one_or_none()
    if renewed is None:
        raise IdempotencyConflict("The key that this Idempotency-Key made is revoked. Choose a new one.")
    return renewed


async def get(session: AsyncSession, key_id: str) -> ApiKey:
    """Return the key; NotFound when there is none, or it is not the session's to see."""
    found = await session.get(ApiKey, key_id) if is_id(key_id, "key") else None
    if found is None:
        raise NotFound("There is no such key.")
    return found


async def revoke(session: AsyncSession, key_id: str) -> bool:
    """End a key for good; False when it had ended before."""
    statement = (
        update(ApiKey)
        .where(ApiKey.id == key_id, ApiKey.revoked_at.is_(None))
        .values(revoked_at=func.now())
        .returning(ApiKey.id)
    )
    return (await session.scalars(statement)).one_or_none() is not None


async def page(
    session: AsyncSession, *, org_id: str | None, active_only: bool, before: str | None, limit: int
) -> list[ApiKey]:
    """List keys that the session may see, newest first."""
    part: Part = () if org_id is None else (ApiKey.org_id == org_id,)
    if active_only:
        part = (*part, ApiKey.revoked_at.is_(None), or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > func.now()))
    position = None if before is None else (before,)
    return list(await session.scalars(newest(ApiKey, [part], [ApiKey.id], after=position, limit=limit)))


async def platform_key(session: AsyncSession, principal: str) -> ApiKey | None:
    """Return the active key of a platform principal."""
    query = select(ApiKey).where(ApiKey.org_id.is_(None), ApiKey.principal == principal, ApiKey.revoked_at.is_(None))
    return (await session.scalars(query)).one_or_none()
