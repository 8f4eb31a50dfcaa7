"""Secrets, their versions, and the one way to what is sealed. Writing needs the platform's role."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, false, func, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.secrets.secret import VersionStatus
from ledger.invariants import Invariant
from models.secrets.rotation import SecretRotation
from models.secrets.secret import Secret, SecretVersion
from repositories.common.listing import ListFilter, Listing, ListPage, of_owner
from repositories.common.required import require_found

PREFIX = "sec"
MISSING = "There is no such secret."
_OPEN = text(
    "SELECT * FROM open_secret(:org_id, :path, :version, :verb, :principal, :key_id, :operator_issued, :agent_id,"
    " :host, :method, :place, :headers, :purpose, :reference, :agents_read, :at)"
)
_WRAPPED = text("SELECT * FROM wrapped_keys(:present, :secret_id, :number, :limit)")


class OpenedRow(NamedTuple):
    """What `open_secret` returns; what is sealed is null unless the outcome is `opened`."""

    outcome: str
    secret_id: str | None
    kind: str | None
    backend: str | None
    number: int | None
    grant_id: str | None
    price_minor: int | None
    meter: str | None
    charged_statuses: list[str] | None
    sealed: bytes | None
    wrapped_key: bytes | None
    key_id: str | None


async def open_secret(session: AsyncSession, asked: dict[str, object]) -> OpenedRow:
    """Check, count, log and return, in one statement; see the function."""
    return OpenedRow(*(await session.execute(_OPEN, asked)).one())


class WrappedRow(NamedTuple):
    """A version's key, as it is wrapped now, and the place that it is bound to."""

    secret_id: str
    number: int
    org_id: str
    path: str
    key_id: str
    wrapped_key: bytes


async def wrapped_keys(
    session: AsyncSession, present: str, *, after: tuple[str, int], limit: int
) -> Sequence[WrappedRow]:
    """Return the keys of versions that another key than the present one wraps, behind a secret's id and a number."""
    asked = {"present": present, "secret_id": after[0], "number": after[1], "limit": limit}
    return [WrappedRow(*row) for row in await session.execute(_WRAPPED, asked)]


async def rewrap(session: AsyncSession, row: WrappedRow, *, key_id: str, wrapped_key: bytes) -> bool:
    """Keep a version's key as it was wrapped anew; False if it was destroyed or wrapped anew meanwhile."""
    of = SecretVersion
    query = (
        update(of)
        .where(of.secret_id == row.secret_id, of.number == row.number, of.key_id == row.key_id)
        .values(wrapped_key=wrapped_key, key_id=key_id)
        .returning(of.number)
        .execution_options(synchronize_session=False)
    )
    return (await session.scalars(query)).one_or_none() is not None


async def find(session: AsyncSession, org_id: str, path: str) -> Secret | None:
    query = select(Secret).where(Secret.org_id == org_id, Secret.path == path)
    return (await session.scalars(query)).one_or_none()


async def at_path(session: AsyncSession, org_id: str, path: str) -> Secret:
    """Return the secret at a path.

    Raises:
        NotFound: there is none that the session may see.
    """
    return require_found(await find(session, org_id, path), MISSING)


async def locked(session: AsyncSession, secret_id: str) -> Secret:
    """Return a secret, and lock it until the transaction ends: its versions change under this lock."""
    return await session.get_one(Secret, secret_id, populate_existing=True, with_for_update=True)


async def count(session: AsyncSession, org_id: str) -> int:
    """Count the secrets of an organization; the caller holds the organization's lock."""
    return (await session.scalars(select(func.count()).where(Secret.org_id == org_id))).one()


_LIST = Listing(of=Secret, order=[Secret.id], prefix=PREFIX, searched=("path",))


async def page(session: AsyncSession, wanted: ListFilter, *, within: Sequence[str] | None) -> ListPage[Secret]:
    """Return a page of the secrets that the session may see, newest first; `within` narrows it to paths of grants."""

    def named(row: type[Secret]) -> ColumnElement[bool]:
        return or_(
            false(),
            *(
                row.path.startswith(pattern.removesuffix("*"), autoescape=True)
                if pattern.endswith("/*")
                else row.path == pattern
                for pattern in within or ()
            ),
        )

    part = of_owner(Secret.org_id, wanted)
    return await _LIST.page(session, wanted, [part], besides=None if within is None else named)


async def versions(session: AsyncSession, secret_id: str) -> Sequence[SecretVersion]:
    """Return the versions of a secret, without what is sealed, newest first."""
    query = select(SecretVersion).where(SecretVersion.secret_id == secret_id).order_by(SecretVersion.number.desc())
    return (await session.scalars(query)).all()


async def version(session: AsyncSession, secret_id: str, number: int) -> SecretVersion | None:
    return await session.get(SecretVersion, (secret_id, number), populate_existing=True)


async def in_status(session: AsyncSession, secret_id: str, status: VersionStatus) -> SecretVersion | None:
    row = SecretVersion
    query = select(row).where(row.secret_id == secret_id, row.status == status.value)
    return (await session.scalars(query)).one_or_none()


async def kept_versions(session: AsyncSession, secret_id: str) -> int:
    row = SecretVersion
    query = select(func.count()).where(row.secret_id == secret_id, row.status != VersionStatus.DESTROYED.value)
    return (await session.scalars(query)).one()


async def made_by(session: AsyncSession, command_id: str) -> SecretVersion | None:
    query = select(SecretVersion).where(SecretVersion.command_id == command_id)
    return (await session.scalars(query)).one_or_none()


async def lock_of(session: AsyncSession, org_id: str) -> None:
    """Lock the secrets of an organization until the transaction ends."""
    await session.execute(select(Secret.id).where(Secret.org_id == org_id).order_by(Secret.id).with_for_update())


async def destroy_all(session: AsyncSession, org_id: str, now: datetime) -> None:
    """Destroy every version of an organization that is kept here, and let nothing rotate them any more."""
    row = SecretVersion
    gone = {"status": VersionStatus.DESTROYED.value, "destroyed_at": now, "usable_until": None}
    gone |= dict.fromkeys(("sealed", "wrapped_key", "key_id"))
    for change in (
        update(Secret).where(Secret.org_id == org_id).values(current_version=None),
        update(row).where(row.org_id == org_id, row.destroyed_at.is_(None)).values(gone),
        update(SecretRotation).where(SecretRotation.org_id == org_id).values(wake_at=None),
    ):
        await session.execute(change.execution_options(synchronize_session=False))


#: What `verify` proves about these rows.
INVARIANTS = (
    Invariant(
        name="the current version of each secret is the one whose status says so, and no number was given later",
        table="public.secrets",
        unit="secrets",
        violations="""
        SELECT s.id || ': current ' || coalesce(s.current_version::text, 'none') || ', by its versions '
            || coalesce(v.current::text, 'none') || '; last ' || s.last_number || ', by its versions ' || v.last
        FROM public.secrets s CROSS JOIN LATERAL (
            SELECT max(number) FILTER (WHERE status = 'current') AS current, coalesce(max(number), 0) AS last
            FROM public.secret_versions WHERE secret_id = s.id
        ) v WHERE s.current_version IS DISTINCT FROM v.current OR s.last_number < v.last
        """,
    ),
)
