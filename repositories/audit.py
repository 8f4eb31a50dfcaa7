"""The audit trail: one entry for each privileged act, in the act's own transaction."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from sqlalchemy import ColumnElement, DateTime, insert, literal_column, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.access import Actor
from models.audit import AuditEntry
from repositories.listing import Found, Listing, Part, Position, Wanted, fixed
from repositories.together import Writes


async def record(
    session: Writes,
    actor: Actor,
    action: str,
    target: str,
    details: Mapping[str, Any] | None = None,
    org_id: str | None = None,
) -> None:
    """Write who did what. `org_id` is the organization that the act concerns; the actor's own when left out."""
    await session.execute(
        insert(AuditEntry).values(
            org_id=org_id or actor.org_id,
            principal=actor.principal,
            role=actor.role.value,
            actor_org_id=actor.org_id,
            key_id=actor.key_id,
            session_id=actor.session_id,
            made_by=actor.made_by,
            action=action,
            target=target,
            request_id=actor.request_id,
            address=actor.address,
            details=dict(details or {}),
        )
    )


async def since(
    session: AsyncSession, org_id: str, actions: Sequence[str], moment: datetime
) -> Sequence[tuple[datetime, Mapping[str, Any]]]:
    """Return when such acts concerned an organization after a moment, and their details; the oldest first."""
    row = AuditEntry
    query = select(row.at, row.details).where(row.org_id == org_id, row.at > moment, row.action.in_(actions))
    return [(at, details) for at, details in await session.execute(query.order_by(row.at, row.id))]


_LIST = Listing(of=AuditEntry, order=[AuditEntry.id], created="at", searched=("principal", "action", "target"))
#: No transaction is open for so long: what was numbered before it began is older.
_LONGEST = timedelta(hours=1)
#: The time without an organization, in words that only the index over all of them knows: the planner would look there
#: for the entries of one, too.
_AT: ColumnElement[datetime] = literal_column(
    f"timezone('UTC', {AuditEntry.__tablename__}.at)", DateTime(timezone=False)
)


async def page(session: AsyncSession, wanted: Wanted, *, after: Position | None, limit: int) -> Found[AuditEntry]:
    """Return a page of the entries that the session may see, newest first.

    `org_id` finds what concerns an organization and what its principals did.
    """
    served, org_id = ("action", "target"), wanted.org_id
    part: Part = tuple(getattr(AuditEntry, name) == wanted.equal[name] for name in served if name in wanted.equal)
    part = (*part, *await _between(session, wanted))
    parts: list[Part] = [part]
    if org_id is not None:
        elsewhere = AuditEntry.org_id.is_distinct_from(AuditEntry.actor_org_id)
        parts = [(AuditEntry.org_id == org_id, *part), (AuditEntry.actor_org_id == org_id, elsewhere, *part)]
    return await _LIST.page(session, wanted, parts, after=after, limit=limit, served=served)


async def _between(session: AsyncSession, wanted: Wanted) -> Part:
    """Return between which numbers the entries of a range of time lie.

    An entry has its number when it is written, and the time at which its transaction began. For an organization these
    are the numbers of entries that concern it: without one on that side of the range, there is no bound.
    """
    part, number = list[ColumnElement[bool]](), select(AuditEntry.id)
    at: ColumnElement[datetime] = _AT
    zone: tzinfo | None = None
    if wanted.org_id is not None:
        number, at, zone = number.where(AuditEntry.org_id == wanted.org_id), AuditEntry.at.expression, UTC
    if wanted.since is not None:
        since = (wanted.since - _LONGEST).astimezone(UTC).replace(tzinfo=zone)
        older = await session.scalar(number.where(at < since).order_by(at.desc()).limit(fixed(1)))
        part += [] if older is None else [AuditEntry.id > older]
    if wanted.until is not None:
        until = (wanted.until + _LONGEST).astimezone(UTC).replace(tzinfo=zone)
        newer = await session.scalar(number.where(at >= until).order_by(at).limit(fixed(1)))
        part += [] if newer is None else [AuditEntry.id < newer]
    return tuple(part)
