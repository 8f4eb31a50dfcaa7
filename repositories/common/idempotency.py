"""Claims idempotency keys, stores the responses, and deletes old keys."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg
from sqlalchemy import delete, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from models.common.idempotency import IdempotencyKey
from repositories.common.changed import rows_changed


@dataclass(frozen=True, slots=True)
class Claim:
    """The outcome of a claim; the three fields of the response are set for `replay` only.

    Attributes:
        outcome: `claimed`, `replay`, `conflict` or `in_flight`.
    """

    outcome: str
    status: int | None = None
    content_type: str | None = None
    body: bytes | None = None


async def claim(
    pool: "asyncpg.Pool[asyncpg.Record]", *, scope: str, key: str, request_hash: bytes, owner: str, lease: timedelta
) -> Claim:
    """Claim the key for `owner` until the lease expires, or return why not. The same owner can claim it again."""
    row = await pool.fetchrow(
        "SELECT outcome, status, content_type, body FROM idempotency_claim($1, $2, $3, $4, $5)",
        *(scope, key, request_hash, owner, lease),
    )
    assert row is not None
    return Claim(row["outcome"], row["status"], row["content_type"], row["body"])


async def renew(pool: "asyncpg.Pool[asyncpg.Record]", *, scope: str, key: str, owner: str, lease: timedelta) -> bool:
    """Extend the lease of a running request; False if another owner has the key, or the request is done."""
    return bool(await pool.fetchval("SELECT idempotency_renew($1, $2, $3, $4)", scope, key, owner, lease))


async def finish(
    pool: "asyncpg.Pool[asyncpg.Record]",
    *,
    scope: str,
    key: str,
    owner: str,
    status: int,
    content_type: str,
    body: bytes,
    version: int | None = None,
) -> bool:
    """Store the response; False if the lease has expired and another owner runs the request now.

    `version` is the version of the object in the response, if it has one.
    """
    answer = (scope, key, owner, status, content_type, body)
    if version is None:
        return bool(await pool.fetchval("SELECT idempotency_finish($1, $2, $3, $4, $5, $6)", *answer))
    return bool(await pool.fetchval("SELECT idempotency_finish($1, $2, $3, $4, $5, $6, $7)", *answer, version))


async def first_claimed_at(session: AsyncSession, *, scope: str, key: str) -> datetime | None:
    """Return when a key was first claimed; None if it is not known."""
    row = IdempotencyKey
    return await session.scalar(select(row.created_at).where(row.scope == scope, row.key == key))


async def response_of(session: AsyncSession, *, scope: str, key: str) -> bytes | None:
    """Return the stored response of a key; None if the request is not done or was refused."""
    row = IdempotencyKey
    query = select(row.body).where(row.scope == scope, row.key == key, row.status < 300)
    return (await session.scalars(query)).one_or_none()


async def version_of(pool: "asyncpg.Pool[asyncpg.Record]", *, scope: str, key: str) -> int | None:
    """Return the version of the object in the stored response; None if it has none."""
    version: int | None = await pool.fetchval("SELECT idempotency_version($1, $2)", scope, key)
    return version


async def free(pool: "asyncpg.Pool[asyncpg.Record]", *, scope: str, key: str, owner: str, forget: bool) -> bool:
    """End the lease early. With `forget` any request may use the key again, without it only the same request may."""
    return bool(await pool.fetchval("SELECT idempotency_free($1, $2, $3, $4)", scope, key, owner, forget))


async def delete_older_than(session: AsyncSession, moment: datetime, *, limit: int) -> int:
    """Delete keys that were first used before a time, and return how many; needs a platform session."""
    row = IdempotencyKey
    old = select(row.scope, row.key).where(row.created_at < moment).order_by(row.created_at).limit(limit)
    return await rows_changed(session, delete(row).where(tuple_(row.scope, row.key).in_(old)))
