"""Sessions and links: finding one for a request, opening, listing, ending, and deleting old ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg
from sqlalchemy import ColumnElement, Select, delete, func, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.access import SECOND_KEYS, Actor, Role
from models.tenants.api_key import ApiKey
from models.tenants.session import Session, SessionLink
from repositories.common.listing import ID_TIME_MARGIN, ListFilter, Listing, ListPage, Part, first_id
from repositories.common.required import get_required

#: PostgreSQL's channel on which every end of a session is announced, with its id.
CHANNEL = "bursar_sessions"
_LOOKUP = """
    SELECT s.*, CASE WHEN s.made_by IS NULL THEN api_key_permissions(s.key_id) ELSE '{}' END AS permissions
    FROM session_lookup($1) s
"""
MISSING = "There is no such session."
NO_LINK = "There is no such link."


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """The data of a session that requests need; `spends_as` is the key that its spends count for.

    `permissions` are those of its key beyond the role's; a session that a link opened has none.
    """

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
    permissions: Sequence[str]


async def lookup(pool: "asyncpg.Pool[asyncpg.Record]", session_id: str) -> SessionRecord | None:
    """Find a session by its exact id, of any organization; the caller checks the secret."""
    row = await pool.fetchrow(_LOOKUP, session_id)
    return SessionRecord(**dict(row)) if row else None


async def spends_as(connection: asyncpg.Connection, session_id: str) -> tuple[str | None, str | None, str | None]:
    """Return the key that the spends of a session count for, and its department and project."""
    query = "SELECT spends_as, department_id, project_id FROM session_lookup($1)"
    row = await connection.fetchrow(query, session_id)
    return (None, None, None) if row is None else (row["spends_as"], row["department_id"], row["project_id"])


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
    """Insert a session, and end the least recently used ones of its key above `most`."""
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
    return await get_required(session, Session, session_id, "ses", MISSING)


async def lock_active(session: AsyncSession, session_id: str) -> bool:
    """Lock a session against being ended; False if it was ended before."""
    query = select(Session.id).where(Session.id == session_id, Session.ended_at.is_(None))
    return (await session.scalars(query.with_for_update(read=True))).one_or_none() is not None


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
    """Return the condition of an active session: `domain.tenants.session.is_over` in SQL, and the key has not expired.

    A revoked key has ended its sessions.
    """
    idle = Session.last_used_at + func.make_interval(0, 0, 0, 0, 0, 0, Session.idle_seconds)
    expired = select(ApiKey.id).where(ApiKey.id == Session.key_id, ApiKey.expires_at <= func.now())
    return (Session.ended_at.is_(None), Session.expires_at > func.now(), idle > func.now(), ~expired.exists())


async def page(session: AsyncSession, wanted: ListFilter, *, of: Actor | None) -> ListPage[Session]:
    """Return a page of the active sessions that the caller's session may see, newest first.

    With `of`, only those of this actor's principal; in a session that a link opened, only that session.
    """
    part: Part = _goes_on()
    if wanted.org_id is not None:
        part = (*part, Session.org_id == wanted.org_id)
    if of is not None:
        part = (*part, *_own(of))
    return await _LIST.page(session, wanted, [part])


def _own(actor: Actor) -> Part:
    if actor.made_by is not None:
        return (Session.id == actor.session_id,)
    whose = Session.org_id.is_(None) if actor.org_id is None else Session.org_id == actor.org_id
    return (whose, func.lower(Session.principal) == actor.principal.lower())


_LINKS = Listing(of=SessionLink, order=[SessionLink.id], prefix="lnk", searched=("principal",))


async def link(session: AsyncSession, link_id: str) -> SessionLink | None:
    """Find a link by its exact id, of any organization; the caller checks the secret. Needs a platform session."""
    return await session.get(SessionLink, link_id)


async def get_link(session: AsyncSession, link_id: str) -> SessionLink:
    """Return the link; NotFound when there is none, or it is not the caller's organization's."""
    return await get_required(session, SessionLink, link_id, "lnk", NO_LINK)


async def use(session: AsyncSession, link_id: str) -> bool:
    """Use a link up; False when it was used or ended meanwhile. Needs a platform session."""
    statement = (
        update(SessionLink)
        .where(SessionLink.id == link_id, SessionLink.used_at.is_(None), SessionLink.ended_at.is_(None))
        .values(used_at=func.now())
        .returning(SessionLink.id)
    )
    return (await session.scalars(statement)).one_or_none() is not None


async def end_link(session: AsyncSession, link_id: str, by: str) -> bool:
    """End a link and the session that it opened; False when both had been ended before."""
    ended = []
    for row, is_it in ((SessionLink, SessionLink.id == link_id), (Session, Session.link_id == link_id)):
        statement = (
            update(row).where(is_it, row.ended_at.is_(None)).values(ended_at=func.now(), ended_by=by).returning(row.id)
        )
        ended.append((await session.scalars(statement)).one_or_none())
    return any(ended)


async def mailed(session: AsyncSession, *, org_id: str, since: datetime) -> Sequence[tuple[datetime, str]]:
    made = (
        SessionLink.org_id == org_id,
        SessionLink.id >= first_id("lnk", since - ID_TIME_MARGIN),
        SessionLink.by_mail,
    )
    query = select(SessionLink.created_at, SessionLink.principal).where(*made, SessionLink.created_at > since)
    return [(row.created_at, row.principal) for row in await session.execute(query)]


async def end_mailed(session: AsyncSession, key_id: str, by: str) -> None:
    unused = (SessionLink.key_id == key_id, SessionLink.by_mail, SessionLink.used_at.is_(None))
    gone = update(SessionLink).where(*unused, SessionLink.ended_at.is_(None))
    await session.execute(gone.values(ended_at=func.now(), ended_by=by))


async def roles_of(session: AsyncSession, org_id: str, principal: str) -> Sequence[Role]:
    by_key = select(ApiKey.role).where(
        ApiKey.org_id == org_id, func.lower(ApiKey.principal) == principal.lower(), ApiKey.revoked_at.is_(None)
    )
    others = (
        select(row.role).where(
            row.org_id == org_id, func.lower(row.principal) == principal.lower(), row.ended_at.is_(None)
        )
        for row in (Session, SessionLink)
    )
    return [Role(role) for role in (await session.scalars(by_key.union(*others))).all()]


async def end_of_principal(session: AsyncSession, org_id: str, principal: str, by: str) -> list[str]:
    ended = list[str]()
    for row in (SessionLink, Session):
        whose = (row.org_id == org_id, func.lower(row.principal) == principal.lower(), row.ended_at.is_(None))
        gone = update(row).where(*whose).values(ended_at=func.now(), ended_by=by).returning(row.id)
        ended = sorted(await session.scalars(gone))
    return ended


async def end_all(session: AsyncSession, org_id: str, by: str) -> None:
    for row in (SessionLink, Session):
        whose = (row.org_id == org_id, row.ended_at.is_(None))
        await session.execute(update(row).where(*whose).values(ended_at=func.now(), ended_by=by))


async def end_of_agent(session: AsyncSession, org_id: str, agent_id: str, by: str) -> None:
    for row in (SessionLink, Session):
        whose = (row.org_id == org_id, row.agent_id == agent_id, row.ended_at.is_(None))
        await session.execute(update(row).where(*whose).values(ended_at=func.now(), ended_by=by))


async def end_incompatible(session: AsyncSession, key: ApiKey) -> None:
    """End links and link sessions of a key's principal that could not be created now that the key exists.

    They have another role or agent, or were made by somebody else who may not issue second keys.
    """
    makers = select(ApiKey.id).where(
        ApiKey.role.not_in(SECOND_KEYS), func.lower(ApiKey.principal) != key.principal.lower()
    )
    for row, opened in ((SessionLink, ()), (Session, (Session.link_id.is_not(None),))):
        whose = (row.org_id == key.org_id, func.lower(row.principal) == key.principal.lower(), row.ended_at.is_(None))
        other = or_(row.role != key.role, row.agent_id.is_distinct_from(key.agent_id))
        beside = row.key_id.in_(makers.where(ApiKey.id == row.key_id))
        gone = update(row).where(*whose, *opened, or_(other, beside)).values(ended_at=func.now(), ended_by="key")
        await session.execute(gone)


async def links(session: AsyncSession, wanted: ListFilter) -> ListPage[SessionLink]:
    """Return a page of the usable links that the caller's session may see, newest first; not those in mails."""
    revoked = select(ApiKey.id).where(ApiKey.id == SessionLink.key_id, ApiKey.expires_at <= func.now())
    part: Part = (
        ~SessionLink.by_mail,
        SessionLink.used_at.is_(None),
        SessionLink.ended_at.is_(None),
        SessionLink.expires_at > func.now(),
        ~revoked.exists(),
    )
    if wanted.org_id is not None:
        part = (*part, SessionLink.org_id == wanted.org_id)
    return await _LINKS.page(session, wanted, [part])


async def guests(session: AsyncSession, org_id: str, *, besides: str) -> int:
    """Count the people of an organization without a key who have a session or a usable link, except one principal."""
    active = (ApiKey.revoked_at.is_(None), or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > func.now()))

    def without_key(row: type[Session] | type[SessionLink], *goes_on: ColumnElement[bool]) -> Select[tuple[str]]:
        name = func.lower(row.principal)
        key = select(ApiKey.id).where(ApiKey.org_id == org_id, func.lower(ApiKey.principal) == name, *active)
        ours = (
            row.org_id == org_id,
            row.role != Role.AGENT.value,
            row.ended_at.is_(None),
            ~key.exists(),
            name != besides.lower(),
        )
        return select(name).where(*ours, row.expires_at > func.now(), *goes_on)

    people = without_key(Session, Session.link_id.is_not(None), *_goes_on()).union(
        without_key(SessionLink, SessionLink.used_at.is_(None))
    )
    return (await session.scalar(select(func.count()).select_from(people.subquery()))) or 0


async def delete_ended_before(session: AsyncSession, before: datetime) -> int:
    gone = await session.scalars(
        delete(Session).where(or_(Session.expires_at < before, Session.ended_at < before)).returning(Session.id)
    )
    count = len(gone.all())
    opened = select(Session.id).where(Session.link_id == SessionLink.id)
    await session.execute(delete(SessionLink).where(SessionLink.expires_at < before, ~opened.exists()))
    return count
