"""Sessions and links: finding one for a request, opening, listing, ending, and forgetting those long over."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import asyncpg
from sqlalchemy import ColumnElement, delete, func, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.access import Actor
from domain.errors import NotFound
from domain.ids import is_id
from models.api_key import ApiKey
from models.session import Session, SessionLink
from repositories.listing import Found, Listing, Part, Position, Wanted

#: PostgreSQL's channel on which every end of a session is announced, with its id.
CHANNEL = "bursar_sessions"
MISSING = "There is no such session."
NO_LINK = "There is no such link."


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """What a request needs to know of its session; `spends_as` is the key that its spends count for."""

    secret_hash: bytes
    key_id: str
    org_id: str | None
    principal: str
    role: str
    agent_id: str | None
    made_by: str | None
    idle_seconds: int
    last_used_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    key_ended: bool
    spends_as: str
    department_id: str | None
    project_id: str | None


async def lookup(pool: "asyncpg.Pool[asyncpg.Record]", session_id: str) -> SessionRecord | None:
    """Find a session by its exact id, whoever it belongs to; the caller checks the secret."""
    row = await pool.fetchrow("SELECT * FROM session_lookup($1)", session_id)
    return SessionRecord(**dict(row)) if row else None


async def touch(session: AsyncSession, used: Mapping[str, datetime]) -> None:
    """Set the time of last use of several sessions; needs a platform session."""
    await session.execute(
        text(
            "UPDATE sessions s SET last_used_at = u.at "
            "FROM unnest(CAST(:ids AS text[]), CAST(:times AS timestamptz[])) AS u(id, at) "
            "WHERE s.id = u.id AND s.last_used_at < u.at"
        ),
        {"ids": list(used), "times": list(used.values())},
    )


async def add(session: AsyncSession, row: Session, *, most: int | None = None) -> Session:
    """Insert a session, and end those of its key above `most` that were used least lately."""
    session.add(row)
    await session.flush()
    if most is not None:
        beyond = (
            select(Session.id)
            .where(Session.key_id == row.key_id, Session.link_id.is_(None), Session.ended_at.is_(None))
            .where(Session.id != row.id)
            .order_by(Session.last_used_at.desc())
            .offset(most - 1)
        )
        await session.execute(
            update(Session)
            .where(Session.id.in_(beyond), Session.ended_at.is_(None))
            .values(ended_at=func.now(), ended_by="limit")
        )
    await session.refresh(row)
    return row


async def get(session: AsyncSession, session_id: str) -> Session:
    """Return the session; NotFound when there is none, or it is not the caller's organization's."""
    found = await session.get(Session, session_id) if is_id(session_id, "ses") else None
    if found is None:
        raise NotFound(MISSING)
    return found


async def end(session: AsyncSession, session_id: str, by: str) -> bool:
    """End a session for good; False when it had been ended before."""
    statement = (
        update(Session)
        .where(Session.id == session_id, Session.ended_at.is_(None))
        .values(ended_at=func.now(), ended_by=by)
        .returning(Session.id)
    )
    return (await session.scalars(statement)).one_or_none() is not None


_LIST = Listing(of=Session, order=[Session.id], prefix="ses", searched=("principal",))


def _goes_on() -> tuple[ColumnElement[bool], ...]:
    """Say in SQL what `domain.session.is_over` says, and that the key has not expired; a revoked one has ended it."""
    idle = Session.last_used_at + func.make_interval(0, 0, 0, 0, 0, 0, Session.idle_seconds)
    expired = select(ApiKey.id).where(ApiKey.id == Session.key_id, ApiKey.expires_at <= func.now())
    return (Session.ended_at.is_(None), Session.expires_at > func.now(), idle > func.now(), ~expired.exists())


async def page(
    session: AsyncSession, wanted: Wanted, *, of: Actor | None, after: Position | None, limit: int
) -> Found[Session]:
    """Return a page of the sessions that go on and that the caller's session may see, newest first.

    With `of`, those of this actor's own principal only; in a session that a link opened, that one only.
    """
    part: Part = _goes_on()
    if wanted.org_id is not None:
        part = (*part, Session.org_id == wanted.org_id)
    if of is not None:
        part = (*part, *_own(of))
    return await _LIST.page(session, wanted, [part], after=after, limit=limit)


def _own(actor: Actor) -> Part:
    if actor.made_by is not None:
        return (Session.id == actor.session_id,)
    whose = Session.org_id.is_(None) if actor.org_id is None else Session.org_id == actor.org_id
    return (whose, func.lower(Session.principal) == actor.principal.lower())


async def delete_ended_before(session: AsyncSession, before: datetime) -> int:
    """Delete sessions and links that were over at that time; returns how many sessions. Needs a platform session."""
    gone = await session.scalars(
        delete(Session).where(or_(Session.expires_at < before, Session.ended_at < before)).returning(Session.id)
    )
    count = len(gone.all())
    opened = select(Session.id).where(Session.link_id == SessionLink.id)
    await session.execute(delete(SessionLink).where(SessionLink.expires_at < before, ~opened.exists()))
    return count
