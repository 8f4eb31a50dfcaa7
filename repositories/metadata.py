"""What organizations have written on objects: read beside them, written with them, and what lists are narrowed by."""

from collections.abc import Iterable, Mapping

from sqlalchemy import ColumnElement, Select, func, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from domain.metadata import ExternalIdTaken, Wanted
from models.metadata import MetadataPair, ObjectMetadata

#: The kind whose ids are the platform's: no two organizations share one.
_ORGANIZATION = "org"


async def get(session: AsyncSession, object_id: str, org_id: str) -> ObjectMetadata | None:
    """Return what an organization has on an object, as it is now; None where it has nothing."""
    return await session.get(ObjectMetadata, (object_id, org_id), populate_existing=True)


async def has_changed(session: AsyncSession, object_id: str, org_id: str) -> bool:
    """Tell whether the object, or what its organization has on it, was ever changed by `put`."""
    own = await get(session, object_id, org_id)
    return own is not None and own.version > 1


async def of(session: AsyncSession, objects: Iterable[tuple[str, str]]) -> dict[str, ObjectMetadata]:
    """Return what is on objects, by their ids, in one statement.

    Args:
        session: what it may not see is not found.
        objects: each object's id, and whose the ids and metadata are that are wanted of it.
    """
    wanted = list(objects)
    if not wanted:
        return {}
    row = ObjectMetadata
    found = await session.scalars(select(row).where(tuple_(row.object_id, row.org_id).in_(wanted)))
    return {each.object_id: each for each in found}


async def add(
    session: AsyncSession,
    object_id: str,
    org_id: str,
    *,
    external_id: str | None,
    metadata: Mapping[str, str],
    command_id: str,
) -> ObjectMetadata | None:
    """Write what an organization has on an object that is being made; None where it has nothing.

    Once written it stays: the same object again changes nothing.

    Raises:
        ExternalIdTaken: another object has the id.
    """
    if external_id is None and not metadata:
        return None
    values = {"external_id": external_id, "pairs": dict(metadata), "command_id": command_id}
    statement = insert(ObjectMetadata).values(object_id=object_id, org_id=org_id, **values)
    await session.execute(statement.on_conflict_do_nothing())
    made = await get(session, object_id, org_id)
    if made is None:
        assert external_id is not None
        raise await _taken(session, object_id, org_id, external_id)
    return made


async def put(
    session: AsyncSession,
    object_id: str,
    org_id: str,
    *,
    external_id: str | None,
    metadata: Mapping[str, str],
    command_id: str,
) -> ObjectMetadata:
    """Write what an organization has on an object from now on, and count the version. Needs the platform's session.

    Raises:
        ExternalIdTaken: another object has the id.
    """
    row = ObjectMetadata
    values = {"external_id": external_id, "pairs": dict(metadata), "command_id": command_id}
    # What has nothing yet is of the first version.
    statement = insert(row).values(object_id=object_id, org_id=org_id, version=2, **values)
    changed = {"version": row.version + 1, "updated_at": func.now(), **values}
    changed["metadata"] = changed.pop("pairs")
    try:
        async with session.begin_nested():
            await session.execute(
                statement.on_conflict_do_update(index_elements=[row.object_id, row.org_id], set_=changed)
            )
    except IntegrityError:
        if external_id is None:
            raise
        raise await _taken(session, object_id, org_id, external_id) from None
    written = await get(session, object_id, org_id)
    assert written is not None
    return written


def narrowed(
    column: InstrumentedAttribute[str], prefix: str, owner: str | None, wanted: Wanted
) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions by which a list is narrowed, each read from an index in the order of the ids.

    Args:
        column: the id of the objects of the list.
        prefix: that of these ids.
        owner: whose ids and metadata are meant; None for those of anybody, which is for operators.
        wanted: what has to be there.
    """
    conditions: list[ColumnElement[bool]] = []
    if wanted.external_id is not None:
        row = ObjectMetadata
        named = select(row.object_id).where(row.prefix == prefix, row.external_id == wanted.external_id)
        conditions.append(column.in_(_owned(named, row.org_id, owner)))
    for key, value in wanted.metadata.items():
        pair = MetadataPair
        named = select(pair.object_id).where(pair.prefix == prefix, pair.key == key, pair.value == value)
        conditions.append(column.in_(_owned(named, pair.org_id, owner)))
    return tuple(conditions)


def _owned(query: Select[str], column: InstrumentedAttribute[str], owner: str | None) -> Select[str]:
    return query if owner is None else query.where(column == owner)


async def _taken(session: AsyncSession, object_id: str, org_id: str, external_id: str) -> ExternalIdTaken:
    """Return the refusal of an id that another object has, and name that one."""
    row, prefix = ObjectMetadata, object_id.partition("_")[0]
    query = select(row.object_id).where(row.prefix == prefix, row.external_id == external_id)
    first = await session.scalar(_owned(query, row.org_id, None if prefix == _ORGANIZATION else org_id))
    return ExternalIdTaken(
        f"{first} has this external_id. Choose another one, or use that object.",
        extra={"field": "external_id", "id": first},
    )
