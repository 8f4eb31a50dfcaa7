"""Chains the log of access to secrets by hashes, and finds what was changed, removed or inserted since.

A seal's hash is SHA-256 over the hash of the seal before it and every entry since that, in the order of the
transactions that wrote them. Only entries older than the oldest open transaction are sealed: none can come before them.
"""

import hashlib
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.errors import Conflict
from models.secrets.access import SecretAccessSeal
from repositories.secrets import access as rows
from repositories.secrets.access import Entry, EntryPosition

#: What the first seal follows.
FIRST_PLACE: EntryPosition = (-(2**63), -(2**63))
FIRST_HASH = bytes(32)
_PAGE = 500
_AHEAD = (
    "Seal {} is ahead of the server's transactions, so nothing is sealed behind it. Either somebody inserted it, or "
    "the books were moved to this server: see 'Moving to another server' in "
    "docs/operate/runbooks/restoring-a-backup.md."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SealResult:
    """How many entries a page sealed, and the last seal that there is: its number, 0 for none, and its hash."""

    count: int
    number: int
    hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainReport:
    """What a walk of the chain found.

    Attributes:
        seals: how many there are.
        entries: how many entries they cover.
        unsealed: how many entries are behind the last one.
        hash: of the last seal; compare it with what the log or the Temporal UI has of its number.
        problems: one sentence for each seal that its entries or the seal before it do not give.
    """

    seals: int
    entries: int
    unsealed: int
    hash: bytes
    problems: Sequence[str]


def chained(before: bytes, entries: Iterable[Entry]) -> bytes:
    """Return the hash of a seal."""
    digest = hashlib.sha256(before)
    for entry in entries:
        digest.update(entry.canonical.encode() + b"\n")
    return digest.digest()


async def seal(session: AsyncSession, *, limit: int, now: datetime) -> SealResult:
    """Seal up to `limit` entries. The session is the platform's.

    Raises:
        Conflict: the last seal is ahead of the server's transactions, so that new entries would never be sealed.
    """
    await rows.lock_seals(session)
    last = await rows.last_seal(session)
    number, place, before = _ends(last)
    if await rows.is_ahead(session, place):
        raise Conflict(_AHEAD.format(number))
    found = await rows.entries(session, place, limit=limit)
    if not found:
        return SealResult(count=0, number=number, hash=before)
    row = SecretAccessSeal(
        number=number + 1,
        last_written_in=found[-1].written_in,
        last_number=found[-1].number,
        entries=len(found),
        hash=chained(before, found),
        sealed_at=now,
    )
    session.add(row)
    await session.flush()
    return SealResult(count=len(found), number=row.number, hash=row.hash)


async def verify(session: AsyncSession) -> ChainReport:
    """Walk the chain from its beginning. The session is the platform's, and reads as of one moment."""
    number, place, before = _ends(None)
    entries, problems = 0, list[str]()
    async for row in _all_seals(session):
        if row.number != number + 1:
            problems.append(f"Seal {number + 1} is missing.")
        upto = (row.last_written_in, row.last_number)
        found = await rows.entries(session, place, upto)
        if len(found) != row.entries:
            problems.append(f"Seal {row.number} covers {row.entries} entries, and there are {len(found)}.")
        elif chained(before, found) != row.hash:
            problems.append(
                f"Seal {row.number} does not follow from its entries, {found[0].number} to {found[-1].number}, and the "
                "seal before it."
            )
        entries += len(found)
        number, place, before = _ends(row)
    if await rows.is_ahead(session, place):
        problems.append(_AHEAD.format(number))
    return ChainReport(
        seals=number, entries=entries, unsealed=await rows.unsealed(session, place), hash=before, problems=problems
    )


async def _all_seals(session: AsyncSession) -> AsyncIterator[SecretAccessSeal]:
    after = 0
    while page := await rows.seals(session, after, _PAGE):
        for row in page:
            yield row
        after = page[-1].number


def _ends(last: SecretAccessSeal | None) -> tuple[int, EntryPosition, bytes]:
    if last is None:
        return 0, FIRST_PLACE, FIRST_HASH
    return last.number, (last.last_written_in, last.last_number), last.hash
