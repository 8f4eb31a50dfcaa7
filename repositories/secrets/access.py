"""Statements about the access log of secrets. Only `open_secret` writes it; seals need the platform's role."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import BigInteger, Text, cast, func, literal, literal_column, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from models.secrets.access import SecretAccess, SecretAccessSeal
from repositories.common.listing import ListFilter, Listing, ListPage

_LIST = Listing(of=SecretAccess, order=[SecretAccess.number], created="at", searched=("principal", "purpose"))
_LOCK = "secret_access_seals"
#: Canonical text of an entry, independent of the session's time zone.
CANONICAL = literal_column(
    "jsonb_build_array(number, written_in, org_id, secret_id, path, version, verb, outcome, grant_id, principal,"
    " key_id, agent_id, host, method, purpose, reference, (extract(epoch FROM at) * 1000000)::bigint)::text",
    Text,
)

_OLDEST = cast(cast(func.pg_snapshot_xmin(func.pg_current_snapshot()), Text), BigInteger)

#: Position in the order of sealing: by transaction and number.
EntryPosition = tuple[int, int]


class Entry(NamedTuple):
    written_in: int
    number: int
    canonical: str


async def page(session: AsyncSession, wanted: ListFilter, org_id: str, path: str) -> ListPage[SecretAccess]:
    """Return a page of the entries of a path, newest first."""
    part = (SecretAccess.org_id == org_id, SecretAccess.path == path)
    return await _LIST.page(session, wanted, [part])


async def lock_seals(session: AsyncSession) -> None:
    """Lock sealing until the transaction ends."""
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(_LOCK, 0))))


async def last_seal(session: AsyncSession) -> SecretAccessSeal | None:
    query = select(SecretAccessSeal).order_by(SecretAccessSeal.number.desc()).limit(1)
    return (await session.scalars(query)).one_or_none()


async def is_ahead(session: AsyncSession, place: EntryPosition) -> bool:
    """Return whether a position is ahead of the server's transactions, so that later entries would never be sealed."""
    return bool(await session.scalar(select(literal(place[0], BigInteger) >= _OLDEST)))


async def seals(session: AsyncSession, after: int, limit: int) -> Sequence[SecretAccessSeal]:
    """Return the seals after a number, in order."""
    query = select(SecretAccessSeal).where(SecretAccessSeal.number > after).order_by(SecretAccessSeal.number)
    return (await session.scalars(query.limit(limit))).all()


async def entries(
    session: AsyncSession, after: EntryPosition, upto: EntryPosition | None = None, *, limit: int | None = None
) -> Sequence[Entry]:
    """Return the entries after a position, in the order of sealing.

    Without `upto` they end before the oldest open transaction, which may still write an earlier entry.
    """
    row = SecretAccess
    place = tuple_(row.written_in, row.number)
    end = row.written_in < _OLDEST if upto is None else place <= tuple_(*upto)
    query = select(row.written_in, row.number, CANONICAL).where(place > tuple_(*after), end)
    found = await session.execute(query.order_by(row.written_in, row.number).limit(limit))
    return [Entry(*each) for each in found]


async def unsealed(session: AsyncSession, after: EntryPosition) -> int:
    place = tuple_(SecretAccess.written_in, SecretAccess.number)
    return (await session.scalars(select(func.count()).where(place > tuple_(*after)))).one()
