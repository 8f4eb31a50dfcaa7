"""Statements about external ids and metadata of objects, and filters of lists by them."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import asyncpg
from sqlalchemy import ColumnElement, Select, exists, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from domain.common.errors import Conflict, ExternalIdTaken
from domain.tenants.metadata import OwnMetadata
from models.payments.payment import PaymentRow
from models.payments.payment_command import PaymentCommand
from models.tenants.metadata import MetadataPair, ObjectMetadata
from repositories.common import command
from repositories.common.command import Row

_READ = "SELECT * FROM object_metadata WHERE object_id = $1 AND org_id = $2"
_READ_AS = "SELECT * FROM tenant_metadata($2, $1)"
#: The kind of object whose external ids are unique on the whole platform.
_ORGANIZATION = "org"
_PAYMENT = "pay"


async def get(session: AsyncSession, object_id: str, org_id: str) -> ObjectMetadata | None:
    """Return an organization's external id and metadata of an object, reloaded; None without any."""
    return await session.get(ObjectMetadata, (object_id, org_id), populate_existing=True)


async def read(
    pool: "asyncpg.Pool[asyncpg.Record]", object_id: str, org_id: str, *, tenant: bool
) -> ObjectMetadata | None:
    """Return an organization's external id and metadata of an object, in one round trip; None without any.

    `tenant` is whether the pool has the tenant's role instead of the platform's.
    """
    found = await pool.fetchrow(_READ_AS if tenant else _READ, object_id, org_id)
    if found is None:
        return None
    columns = dict(found)
    pairs = columns.pop("metadata")
    # The connections of an engine decode JSON automatically.
    return ObjectMetadata(pairs=json.loads(pairs) if isinstance(pairs, str) else pairs, **columns)


async def has_changed(session: AsyncSession, object_id: str, org_id: str) -> bool:
    """Return whether `put` has ever changed the object."""
    own = await get(session, object_id, org_id)
    return own is not None and own.version > 1


async def of(session: AsyncSession, objects: Iterable[tuple[str, str]]) -> dict[str, ObjectMetadata]:
    """Return the external ids and metadata of objects, by object id, in one statement.

    Args:
        session: limits the visible rows.
        objects: the id of each object with the owner of external id and metadata.
    """
    wanted = list(objects)
    if not wanted:
        return {}
    row = ObjectMetadata
    found = await session.scalars(select(row).where(tuple_(row.object_id, row.org_id).in_(wanted)))
    return {each.object_id: each for each in found}


async def add(
    session: AsyncSession, object_id: str, org_id: str, own: OwnMetadata, command_id: str
) -> ObjectMetadata | None:
    """Write the external id and metadata of a new object; None without any.

    Existing ones are not changed.

    Raises:
        ExternalIdTaken: another object has the id.
    """
    if not own:
        return None
    values = {"external_id": own.external_id, "pairs": dict(own.metadata), "command_id": command_id}
    statement = insert(ObjectMetadata).values(object_id=object_id, org_id=org_id, **values)
    await session.execute(statement.on_conflict_do_nothing())
    made = await get(session, object_id, org_id)
    if made is None:
        assert own.external_id is not None
        raise await _taken(session, object_id, org_id, own.external_id)
    return made


async def begin(session: AsyncSession, row: Row, asked: Iterable[str], own: OwnMetadata) -> Row | None:
    """Write external id and metadata before the row is inserted, or return the row of the command.

    So the event of the insertion has the external id.

    Raises:
        ExternalIdTaken: another object has the id.
    """
    if not own:
        return None
    new: Any = row
    await command.lock_command(session, new.command_id)
    made = await command.existing_row(session, row, asked)
    if made is None:
        await add(session, new.id, new.org_id, own, new.command_id)
    return made


async def lock(session: AsyncSession, model: Any, object_id: str) -> None:
    """Lock an object, and its external id and metadata, until the transaction ends."""
    await session.execute(select(model.id).where(model.id == object_id).with_for_update(key_share=True))


async def lock_contract(session: AsyncSession, contract_id: str) -> None:
    await session.execute(select(func.lock_contract(contract_id)))


async def put(
    session: AsyncSession,
    object_id: str,
    org_id: str,
    *,
    external_id: str | None,
    metadata: Mapping[str, str],
    command_id: str,
) -> ObjectMetadata:
    """Replace the external id and metadata of an object, and increment the version. Needs the platform's session.

    Raises:
        ExternalIdTaken: another object has the id.
    """
    row = ObjectMetadata
    values = {"external_id": external_id, "pairs": dict(metadata), "command_id": command_id}
    # Without a row, the version is the first one.
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


async def free_unbegun(session: AsyncSession, payment_id: str, org_id: str) -> bool:
    """Remove external id and metadata from a payment whose start was refused; return whether it never began.

    Needs the platform's session.
    """
    row, begun = ObjectMetadata, exists().where(PaymentRow.id == payment_id)
    own = (row.object_id == payment_id, row.org_id == org_id)
    freed = await session.execute(
        update(row).where(*own, ~begun).values(external_id=None, pairs={}).returning(row.object_id)
    )
    return freed.first() is not None


def narrowed(
    column: InstrumentedAttribute[str], prefix: str, owner: str | None, wanted: OwnMetadata
) -> tuple[ColumnElement[bool], ...]:
    """Return list conditions on external id and metadata, each served by an index in the order of ids.

    Args:
        column: the id of the listed objects.
        prefix: of these ids.
        owner: the owner of external ids and metadata; None for any, for operators.
        wanted: the external id and metadata to match.
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


async def _unbegun(session: AsyncSession, payment_id: str | None) -> datetime | None:
    """Return the request time of a payment that has not begun, because its request failed; None otherwise."""
    asked, begun = PaymentCommand, exists().where(PaymentRow.id == PaymentCommand.payment_id)
    return await session.scalar(select(asked.created_at).where(asked.payment_id == payment_id, ~begun))


async def _taken(session: AsyncSession, object_id: str, org_id: str, external_id: str) -> Conflict:
    row, prefix = ObjectMetadata, object_id.partition("_")[0]
    query = select(row.object_id).where(row.prefix == prefix, row.external_id == external_id)
    first = await session.scalar(_owned(query, row.org_id, None if prefix == _ORGANIZATION else org_id))
    if prefix == _PAYMENT and (asked_at := await _unbegun(session, first)) is not None:
        return ExternalIdTaken(
            f"A payment that was requested at {asked_at:%Y-%m-%d %H:%M:%S} UTC and has not begun has this external_id. "
            "Repeat that request with its own Idempotency-Key, or choose another external_id.",
            extra={"field": "external_id", "id": first, "requested_at": asked_at.isoformat()},
        )
    return ExternalIdTaken(
        f"{first} has this external_id. Choose another one, or use that object.",
        extra={"field": "external_id", "id": first},
    )
