"""The log of access to secrets. `open_secret` alone writes it; the seals need the platform's role."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import BigInteger, Text, cast, func, literal, literal_column, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from models.secrets.access import SecretAccess, SecretAccessSeal
from repositories.common.listing import ListFilter, Listing, ListPage

_LIST = Listing(of=SecretAccess, order=[SecretAccess.number], created="at", searched=("principal", "purpose"))
_LOCK = "secret_access_seals"
#: All of an entry, in one text: the same entry always gives the same, whatever the zone of the session.
CANONICAL = literal_column(
    "jsonb_build_array(number, written_in, org_id, secret_id, path, version, verb, outcome, grant_id, principal,"
    " key_id, agent_id, host, method, purpose, reference, (extract(epoch FROM at) * 1000000)::bigint)::text",
    Text,
)

_OLDEST = cast(cast(func.pg_snapshot_xmin(func.pg_current_snapshot()), Text), BigInteger)

#: The order in which entries are sealed: by the transaction that wrote them, and by number.
EntryPosition = tuple[int, int]


class Entry(NamedTuple):
    written_in: int
    number: int
    canonical: str


async def page(session: AsyncSession, wanted: ListFilter, org_id: str, path: str) -> ListPage[SecretAccess]:
    """Return a page of the entries of a path of an organization, newest first."""
    part = (SecretAccess.org_id == org_id, SecretAccess.path == path)
    return await _LIST.page(session, wanted, [part])


async def lock_seals(session: AsyncSession) -> None:
    """Let one transaction seal at a time, until it ends."""
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(_LOCK, 0))))


async def last_seal(session: AsyncSession) -> SecretAccessSeal | None:
    query = select(SecretAccessSeal).order_by(SecretAccessSeal.number.desc()).limit(1)
    return (await session.scalars(query)).one_or_none()


async def is_ahead(session: AsyncSession, place: EntryPosition) -> bool:
    """Return whether a place is one that no entry can have yet which is sealed: nothing would be sealed behind it."""
    return bool(await session.scalar(select(literal(place[0], BigInteger) >= _OLDEST)))


async def seals(session: AsyncSession, after: int, limit: int) -> Sequence[SecretAccessSeal]:
    """Return seals behind a number, in their order."""
    query = select(SecretAccessSeal).where(SecretAccessSeal.number > after).order_by(SecretAccessSeal.number)
    return (await session.scalars(query.limit(limit))).all()


async def entries(
    session: AsyncSession, after: EntryPosition, upto: EntryPosition | None = None, *, limit: int | None = None
) -> Sequence[Entry]:
    """Return entries behind a place, in the order of sealing.

    Without `upto` they end before the oldest open transaction: until that ends, it may write an entry that comes first.
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
