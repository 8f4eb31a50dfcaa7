"""Makes, replaces, opens and destroys secrets. Sealing and reading are calls to the outside, between transactions.

A new value takes two transactions: `reserve` gives it a number, the backend seals it for that number, and `add_version`
keeps it. A number is given once, so a value that was sealed and not kept is never taken for another one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common import errors as refusals
from domain.common.access import Actor, has_operator, refuse_operator_issued
from domain.common.errors import Conflict, Invalid, NotFound, other_request
from domain.secrets.access import AccessOutcome, AccessVerb, refusal
from domain.secrets.secret import (
    MAX_PATH,
    MAX_SECRETS,
    MAX_VERSIONS,
    SecretKind,
    VersionStatus,
    check_host,
    check_kind,
    check_path,
)
from models.secrets.secret import Secret, SecretVersion
from providers.secrets.base import Stored, Unopened, ValueLocation
from providers.secrets.registry import SecretBackends
from repositories.secrets import secret as rows
from repositories.tenants import api_key, audit, organization
from runtime.database import Database
from runtime.identity import new_id
from services.secrets import rotation_plan

log = structlog.get_logger("bursar.secrets")


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretChange:
    """A secret as its owner wants it: where it is, and what it may be used for.

    Attributes:
        hosts: as `domain.secrets.secret.check_host` returns them; None leaves those that there are.
        rotation: how it is replaced by schedule, as `domain.secrets.rotation_plan`; None leaves what there is.
    """

    org_id: str
    path: str
    kind: SecretKind
    hosts: tuple[str, ...] | None = None
    rotation: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRequest:
    """A request to open a secret. The access log keeps all of it.

    Attributes:
        principal: who asks, as the organization knows them.
        key_id: the key of the request; None only for the platform's own verbs.
        agent_id: of an agent's key; then only grants to this agent count.
        host: where `use` sends its request, as `check_host` returns it.
        place: where in the request the value stands, as grants name it.
        headers: of the request, those that the grant has to name.
        version: None for the current one.
        reference: what it is for, such as the id of a use.
        agents_read: whether agents may `read` at all.
    """

    org_id: str
    path: str
    verb: AccessVerb
    principal: str
    key_id: str | None = None
    agent_id: str | None = None
    host: str | None = None
    method: str | None = None
    place: str | None = None
    headers: tuple[str, ...] = ()
    purpose: str | None = None
    version: int | None = None
    reference: str | None = None
    agents_read: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidingGrant:
    """The grant that an opening was decided by, and what a use by it costs; see `models.secrets.grant.SecretGrant`."""

    id: str
    price_minor: int | None
    meter: str | None
    charged_statuses: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenResult:
    """The answer to an opening.

    Attributes:
        outcome: `opened`, or why not; the entry is written either way, once the transaction commits.
        place: of the version that is opened; None unless it is.
        grant: the one that allowed it or, of a refusal, the last one that did not; None without.
        stored: what `backend` reads the value from.
    """

    outcome: AccessOutcome
    secret_id: str | None
    kind: SecretKind | None
    backend: str
    place: ValueLocation | None
    grant: DecidingGrant | None
    stored: Stored

    def require(self) -> ValueLocation:
        """Return the place of what was opened. Call it after the transaction, or the refusal has no entry."""
        if self.place is None:
            raise refusal(self.outcome)
        return self.place

    async def value(self, secrets: SecretBackends) -> bytes:
        """Return the value. Call it after the transaction: the backend may be outside."""
        place = self.require()
        try:
            return await secrets.backend(self.backend).read(place, self.stored)
        except Unopened as error:
            log.error("secret.unopened", path=place.path, error=str(error))
            raise refusals.SecretUnopened(
                "The value cannot be opened here. The operator finds the reason in the log."
            ) from None


def checked_hosts(hosts: Sequence[str]) -> tuple[str, ...]:
    """Return hosts as they are compared, each once.

    Raises:
        Invalid: one of them is none.
    """
    return tuple(dict.fromkeys(map(check_host, hosts)))


async def put(
    database: Database,
    secrets: SecretBackends,
    actor: Actor,
    wanted: SecretChange,
    value: str | None,
    *,
    grace: timedelta,
    command_id: str,
    now: datetime,
) -> None:
    """Store a value as the current one of a secret, which is made if there is none; or change the rest of a secret.

    A repeated command changes nothing. No transaction is open while the value is sealed.

    Raises:
        Invalid: the path or the kind is wrong, or there is no value of a secret that is new.
    """
    async with database.platform() as session:
        refuse_operator_issued(actor, await api_key.issuer_line(session, actor), "change secrets")
    if value is None:
        async with database.platform() as session:
            found = await rows.find(session, wanted.org_id, wanted.path)
            if found is None:
                raise Invalid("There is no secret at this path yet. Send its value.", extra={"field": "value"})
            row = await rows.locked(session, found.id)
            _same_kind(row, wanted)
            await _change(session, actor, row, wanted, None, now)
        return
    async with database.platform() as session:
        row, number = await reserve(session, actor, wanted, backend=secrets.default, command_id=command_id, now=now)
        backend = secrets.backend(row.backend)
    if number is None:
        return
    stored = await backend.store(ValueLocation(wanted.org_id, wanted.path, number), value.encode())
    async with database.platform() as session:
        await add_version(
            session,
            row.id,
            number,
            stored,
            status=VersionStatus.CURRENT,
            usable_until=now + grace,
            created_by=actor.qualified(),
            command_id=command_id,
            now=now,
        )
        row = await rows.locked(session, row.id)
        await rotation_plan.stored(session, row, now)
        await _change(session, actor, row, wanted, number, now)


async def reserve(
    session: AsyncSession, actor: Actor, wanted: SecretChange, *, backend: str, command_id: str, now: datetime
) -> tuple[Secret, int | None]:
    """Give a number to a value that is to come, and make the secret if there is none at the path.

    Returns:
        The secret and the number; None if the command has made its version already.

    Raises:
        Invalid: the path or the kind is wrong, or is not the kind of the secret there.
    """
    check_path(wanted.path)
    check_kind(wanted.path, wanted.kind)
    held = await organization.lock(session, wanted.org_id)
    found = await rows.find(session, wanted.org_id, wanted.path)
    if wanted.rotation is not None:
        # What is refused is refused before a secret is made.
        there = () if found is None else found.hosts
        rotation_plan.check(wanted.rotation, wanted.kind, there if wanted.hosts is None else wanted.hosts)
    made = await rows.made_by(session, command_id)
    if made is not None:
        if found is None or found.id != made.secret_id:
            raise other_request()
        return found, None
    if found is None:
        if await rows.count(session, held.id) >= MAX_SECRETS:
            raise _limit(f"The organization has {MAX_SECRETS} secrets, which is the most.", MAX_SECRETS)
        row = Secret(
            id=new_id(rows.PREFIX),
            org_id=wanted.org_id,
            path=wanted.path,
            kind=wanted.kind.value,
            backend=backend,
            hosts=list(wanted.hosts or ()),
            rotation=None,
            current_version=None,
            last_number=1,
            created_by=actor.qualified(),
            created_at=now,
        )
        session.add(row)
        await session.flush()
        return row, 1
    row = await rows.locked(session, found.id)
    _same_kind(row, wanted)
    if await rows.kept_versions(session, row.id) >= MAX_VERSIONS:
        raise _limit(f"The secret has {MAX_VERSIONS} versions. Destroy old ones first.", MAX_VERSIONS)
    row.last_number += 1
    await session.flush()
    return row, row.last_number


async def add_version(
    session: AsyncSession,
    secret_id: str,
    number: int,
    stored: Stored,
    *,
    status: VersionStatus = VersionStatus.PENDING,
    usable_until: datetime | None = None,
    created_by: str,
    command_id: str,
    now: datetime,
) -> SecretVersion:
    """Keep what was sealed for a number. What was kept first for a number stays; repeating it returns that version.

    As `current` it takes the place of the one before, which can be opened until `usable_until`; as `pending` it takes
    the place of another pending one.
    """
    secret = await rows.locked(session, secret_id)
    made = await rows.version(session, secret_id, number)
    if made is not None:
        return made
    row = SecretVersion(
        secret_id=secret_id,
        number=number,
        org_id=secret.org_id,
        status=status.value,
        sealed=stored.sealed,
        wrapped_key=stored.wrapped_key,
        key_id=stored.key_id,
        usable_until=None,
        created_by=created_by,
        command_id=command_id,
        created_at=now,
        destroyed_at=None,
    )
    if status is VersionStatus.CURRENT:
        await _make_room(session, secret, number, max(now, usable_until or now))
        secret.current_version = number
    elif (
        status is VersionStatus.PENDING
        and (other := await rows.in_status(session, secret_id, VersionStatus.PENDING)) is not None
    ):
        other.status = VersionStatus.RETIRED.value
        await session.flush()
    session.add(row)
    await session.flush()
    return row


async def _make_room(session: AsyncSession, secret: Secret, number: int, usable_until: datetime) -> None:
    """End the version before the one before, and keep the one before until a time."""
    for status, then in (
        (VersionStatus.PREVIOUS, VersionStatus.RETIRED),
        (VersionStatus.CURRENT, VersionStatus.PREVIOUS),
    ):
        other = await rows.in_status(session, secret.id, status)
        if other is not None and other.number != number:
            other.status = then.value
            other.usable_until = usable_until if then is VersionStatus.PREVIOUS else None
            await session.flush()


async def promote(
    session: AsyncSession, secret_id: str, number: int, *, usable_until: datetime, now: datetime
) -> Secret:
    """Make a version the current one; the one before can be opened until a time. Repeating it changes nothing."""
    secret = await rows.locked(session, secret_id)
    row = await rows.version(session, secret_id, number)
    if row is None or row.status in (VersionStatus.RETIRED.value, VersionStatus.DESTROYED.value):
        raise refusal(AccessOutcome.NO_VERSION)
    if row.status == VersionStatus.CURRENT.value:
        return secret
    await _make_room(session, secret, number, max(now, usable_until))
    row.status, row.usable_until = VersionStatus.CURRENT.value, None
    secret.current_version = number
    await session.flush()
    return secret


async def retire(session: AsyncSession, secret_id: str, number: int, *, now: datetime) -> None:  # noqa: ARG001
    """End the use of a version that is pending or previous. Repeating it changes nothing."""
    await rows.locked(session, secret_id)
    row = await rows.version(session, secret_id, number)
    if row is None or row.status in (VersionStatus.RETIRED.value, VersionStatus.DESTROYED.value):
        return
    if row.status == VersionStatus.CURRENT.value:
        raise refusals.SecretCurrent("The version is the current one. Put a new value first.")
    row.status, row.usable_until = VersionStatus.RETIRED.value, None
    await session.flush()


async def destroy(session: AsyncSession, actor: Actor, secret_id: str, number: int, *, now: datetime) -> ValueLocation:
    """Destroy a version and its key for good, also the current one. Repeating it changes nothing.

    A number that was given to a value which was never kept becomes a destroyed version, because the backend may have
    the value. Nothing is kept for that number any more.

    The caller then has the backend destroy the returned place, which is harmless to repeat.

    Raises:
        NotFound: the secret has no such version.
    """
    secret = await rows.locked(session, secret_id)
    row = await rows.version(session, secret_id, number)
    if row is None:
        if not 0 < number <= secret.last_number:
            raise NotFound("The secret has no such version.")
        row = await add_version(
            session,
            secret_id,
            number,
            Stored(None, None, None),
            status=VersionStatus.RETIRED,
            created_by=actor.qualified(),
            command_id=f"{secret_id}/{number}/destroyed",
            now=now,
        )
    if row.destroyed_at is None:
        if secret.current_version == number:
            secret.current_version = None
        row.status, row.destroyed_at, row.usable_until = VersionStatus.DESTROYED.value, now, None
        row.sealed, row.wrapped_key, row.key_id = None, None, None
        await session.flush()
        await audit.record(session, actor, "secret.destroy", secret.id, {"version": number}, secret.org_id)
    return ValueLocation(secret.org_id, secret.path, number)


async def open(session: AsyncSession, asked: OpenRequest, *, now: datetime) -> OpenResult:
    """Open a secret for a verb, or refuse it; either way it has its entry when the transaction commits.

    The session is the platform's.

    Raises:
        NotFound: the path is longer than any. It has no entry, which would keep a text of any length.
    """
    if len(asked.path) > MAX_PATH:
        raise refusal(AccessOutcome.NOT_FOUND)
    issued = await api_key.key_origin(session, asked.key_id, first_is_own=True)
    row = await rows.open_secret(
        session,
        {
            "org_id": asked.org_id,
            "path": asked.path,
            "version": asked.version,
            "verb": asked.verb.value,
            "principal": asked.principal,
            "key_id": asked.key_id,
            "operator_issued": issued is not None and has_operator(issued.line),
            "agent_id": asked.agent_id,
            "host": asked.host,
            "method": asked.method,
            "place": asked.place,
            "headers": list(asked.headers),
            "purpose": asked.purpose,
            "reference": asked.reference,
            "agents_read": asked.agents_read,
            "at": now,
        },
    )
    outcome = AccessOutcome(row.outcome)
    place = None
    if outcome is AccessOutcome.OPENED:
        assert row.number is not None
        place = ValueLocation(asked.org_id, asked.path, row.number)
    return OpenResult(
        outcome=outcome,
        secret_id=row.secret_id,
        kind=None if row.kind is None else SecretKind(row.kind),
        backend=row.backend or "",
        place=place,
        grant=None
        if row.grant_id is None
        else DecidingGrant(
            id=row.grant_id,
            price_minor=row.price_minor,
            meter=row.meter,
            charged_statuses=tuple(row.charged_statuses or ()),
        ),
        stored=Stored(row.sealed, row.wrapped_key, row.key_id),
    )


async def _change(
    session: AsyncSession, actor: Actor, row: Secret, wanted: SecretChange, version: int | None, now: datetime
) -> None:
    if wanted.hosts is not None:
        row.hosts = list(wanted.hosts)
    if wanted.rotation is not None:
        await rotation_plan.plan(session, row, wanted.rotation, now)
    await session.flush()
    details = {"path": row.path, "version": version, "hosts": row.hosts}
    await audit.record(session, actor, "secret.put", row.id, details, row.org_id)


def _same_kind(row: Secret, wanted: SecretChange) -> None:
    if row.kind != wanted.kind.value:
        raise Invalid(f"The secret at this path is of the kind {row.kind}.", extra={"field": "kind"})


def _limit(detail: str, limit: int) -> Conflict:
    return refusals.SecretLimitReached(detail, extra={"limit": limit})
