"""The audit trail: one entry for each privileged act, in the act's own transaction."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import asyncpg
from sqlalchemy import ColumnElement, DateTime, insert, literal_column, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.access import Actor
from models.tenants.audit import AuditEntry
from repositories.common.batched import Writes
from repositories.common.listing import ListFilter, Listing, ListPage, Part, fixed


async def record(
    session: Writes,
    actor: Actor,
    action: str,
    target: str,
    details: Mapping[str, Any] | None = None,
    org_id: str | None = None,
) -> None:
    """Write an entry. `org_id` is the organization that the act concerns, by default the actor's own."""
    await session.execute(
        insert(AuditEntry).values(**_entry(actor, action, target, org_id), details=dict(details or {}))
    )


async def record_fast(
    connection: asyncpg.Connection,
    actor: Actor,
    action: str,
    target: str,
    details: Mapping[str, Any] | None = None,
    org_id: str | None = None,
) -> None:
    """Do what `record` does, on the driver's connection of an engine, for acts that are frequent."""
    values = _entry(actor, action, target, org_id).values()
    await connection.execute(_RECORD, *values, json.dumps(dict(details or {})))


def _entry(actor: Actor, action: str, target: str, org_id: str | None) -> dict[str, str | None]:
    """Return what an entry says besides its details, in the order of `_RECORD`."""
    return {
        "org_id": org_id or actor.org_id,
        "principal": actor.principal,
        "role": actor.role.value,
        "actor_org_id": actor.org_id,
        "key_id": actor.key_id,
        "session_id": actor.session_id,
        "made_by": actor.made_by,
        "action": action,
        "target": target,
        "request_id": actor.request_id,
        "address": actor.address,
    }


_RECORD = """
    INSERT INTO audit_log (org_id, principal, role, actor_org_id, key_id, session_id, made_by, action, target,
        request_id, address, details)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
"""


async def since(
    session: AsyncSession, org_id: str, actions: Sequence[str], moment: datetime
) -> Sequence[tuple[datetime, Mapping[str, Any]]]:
    """Return the times and details of an action concerning an organization after a time, oldest first."""
    row = AuditEntry
    query = select(row.at, row.details).where(row.org_id == org_id, row.at > moment, row.action.in_(actions))
    return [(at, details) for at, details in await session.execute(query.order_by(row.at, row.id))]


async def is_above(session: AsyncSession, org_id: str, action: str, moment: datetime, *, most: int) -> bool:
    """Return whether there were more than `most` of an action concerning an organization after a time."""
    row = AuditEntry
    newest = select(row.at).where(row.org_id == org_id, row.action == action).order_by(row.id.desc())
    at = await session.scalar(newest.offset(most).limit(1))
    return at is not None and at > moment


_LIST = Listing(of=AuditEntry, order=[AuditEntry.id], created="at", searched=("principal", "action", "target"))
#: Longer than any transaction is open; bounds the difference between the number of an entry and its time.
_LONGEST = timedelta(hours=1)
#: The condition on the time without an organization, written so that it matches only the index over all entries.
#: Otherwise the planner would use that index for the entries of one organization, too.
_AT: ColumnElement[datetime] = literal_column(
    f"timezone('UTC', {AuditEntry.__tablename__}.at)", DateTime(timezone=False)
)


async def page(session: AsyncSession, wanted: ListFilter) -> ListPage[AuditEntry]:
    """Return a page of the entries that the session may see, newest first.

    `org_id` finds entries that concern an organization, and acts of its principals.
    """
    served, org_id = ("action", "target"), wanted.org_id
    part: Part = tuple(getattr(AuditEntry, name) == wanted.equal[name] for name in served if name in wanted.equal)
    part = (*part, *await _between(session, wanted))
    parts: list[Part] = [part]
    if org_id is not None:
        elsewhere = AuditEntry.org_id.is_distinct_from(AuditEntry.actor_org_id)
        parts = [(AuditEntry.org_id == org_id, *part), (AuditEntry.actor_org_id == org_id, elsewhere, *part)]
    return await _LIST.page(session, wanted, parts, served=served)


async def _between(session: AsyncSession, wanted: ListFilter) -> Part:
    """Return the lowest and highest number of the entries in a range of time; None for no bound.

    An entry is numbered when it is written, but its time is the beginning of its transaction. For an organization the
    bounds are numbers of its own entries, if it has any before or after the range.
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
