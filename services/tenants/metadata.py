"""Changes objects: their own columns, and the `external_id` and metadata that an organization wrote on them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.access import Actor
from domain.common.errors import other_request
from domain.messages.events import Event
from domain.tenants.metadata import Precondition, merged
from models.tenants.metadata import ObjectMetadata
from repositories.messages import event
from repositories.tenants import audit, metadata as written


class Versioned(Protocol):
    """A row that counts its changes."""

    version: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectChange:
    """What a request changes.

    Attributes:
        noun: of the object, as its events and its entries in the audit trail are called.
        org_id: whose external_id and metadata are changed.
        expected: for which versions the change was made.
        written: `external_id` and `metadata`, those that are named.
        columns: what is named of the row's own, by its name in the API: the columns and their values.
        command_id: makes the change idempotent.
    """

    noun: str
    object_id: str
    org_id: str
    expected: Precondition
    written: Mapping[str, Any]
    columns: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    command_id: str


@dataclass(frozen=True, slots=True)
class ObjectChangeResult:
    """What is written on an object after a change, its version, and the names of the changed fields."""

    own: ObjectMetadata | None
    version: int
    names: tuple[str, ...] = ()


def version_of(own: ObjectMetadata | None, row: Versioned | None = None) -> int:
    """Return the version of an object: its row's where it counts, or that of what an organization has written on it."""
    if row is not None:
        return int(row.version)
    return 1 if own is None else own.version


async def change(
    session: AsyncSession, actor: Actor, wanted: ObjectChange, row: Versioned | None = None
) -> ObjectChangeResult:
    """Make a change, with its audit entry and its event; a change without effect has neither.

    A change that its command has made before is not made again, whatever version it was made for.

    Args:
        session: of the platform. It holds the lock of the object.
        actor: who changes it, and may.
        wanted: the change.
        row: the object where it counts its changes itself.
    """
    own = await written.get(session, wanted.object_id, wanted.org_id)
    if own is not None and own.command_id == wanted.command_id:
        if not _is_as(wanted, own, row):
            raise other_request()
        return ObjectChangeResult(own, version_of(own, row))
    wanted.expected.judge(version_of(own, row))
    before = (None, {}) if own is None else (own.external_id, own.pairs)
    external_id, metadata = wanted.written.get("external_id", before[0]), dict(before[1])
    if "metadata" in wanted.written:
        metadata = merged(metadata, wanted.written["metadata"])
    names = [name for name, columns in wanted.columns.items() if _set(row, columns)]
    names += ["external_id"] if external_id != before[0] else []
    names += ["metadata"] if metadata != before[1] else []
    if not names:
        return ObjectChangeResult(own, version_of(own, row))
    if row is not None:
        # A trigger counts the version, even if no other column has changed.
        row.version += 1
        await session.flush()
        await session.refresh(row)
    own = await written.put(
        session,
        wanted.object_id,
        wanted.org_id,
        external_id=external_id,
        metadata=metadata,
        command_id=wanted.command_id,
    )
    await audit.record(session, actor, f"{wanted.noun}.update", wanted.object_id, {"changed": names}, wanted.org_id)
    data = {f"{wanted.noun}_id": wanted.object_id, "external_id": external_id, "changed": names}
    await event.record(session, [Event(f"{wanted.noun}.updated", wanted.org_id, wanted.object_id, data)])
    return ObjectChangeResult(own, version_of(own, row), tuple(names))


def _is_as(wanted: ObjectChange, own: ObjectMetadata, row: Versioned | None) -> bool:
    written = wanted.written
    return (
        written.get("external_id", own.external_id) == own.external_id
        and merged(own.pairs, written.get("metadata", {})) == own.pairs
        and all(getattr(row, name) == value for columns in wanted.columns.values() for name, value in columns.items())
    )


def _set(row: Versioned | None, columns: Mapping[str, Any]) -> bool:
    different = [name for name, value in columns.items() if getattr(row, name) != value]
    for name in different:
        setattr(row, name, columns[name])
    return bool(different)
