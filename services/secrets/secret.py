"""Storing, opening and destroying of secrets. Sealing and reading are external calls between transactions.

A new value takes two transactions: `reserve` assigns a number, the backend seals the value for it, and `add_version`
stores the version. A number is assigned once, so that a sealed value that was not recorded is never mistaken for
another one.
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
    """Requested secret: its path, kind, hosts and rotation.

    Attributes:
        hosts: as `domain.secrets.secret.check_host` returns them; None for no change.
        rotation: a plan of `domain.secrets.rotation_plan`; None for no change.
    """

    org_id: str
    path: str
    kind: SecretKind
    hosts: tuple[str, ...] | None = None
    rotation: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRequest:
    """Request to open a secret, stored in the access log.

    Attributes:
        principal: the requester.
        key_id: the API key; None only for the platform's own verbs.
        agent_id: of an agent's key; only grants to this agent count.
        host: the host of the request of `use`, as `check_host` returns it.
        place: the place of the value in the request, as in grants.
        headers: headers of the request that the grant must allow.
        version: None for the current one.
        reference: a reference such as the id of a use.
        agents_read: whether agents may have grants to `read`.
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
    """Grant that decided an opening, with the price of a use; see `models.secrets.grant.SecretGrant`."""

    id: str
    price_minor: int | None
    meter: str | None
    charged_statuses: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenResult:
    """Result of a request to open a secret.

    Attributes:
        outcome: `opened`, or the reason; the log entry is written in both cases, when the transaction commits.
        place: the location of the opened version; None unless opened.
        grant: the grant that allowed it or, after a refusal, the last one checked; None without one.
        stored: the input of `backend` for reading the value.
    """

    outcome: AccessOutcome
    secret_id: str | None
    kind: SecretKind | None
    backend: str
    place: ValueLocation | None
    grant: DecidingGrant | None
    stored: Stored

    def require(self) -> ValueLocation:
        """Return the location, or raise the refusal. Call it after the transaction, or the refusal has no log entry."""
        if self.place is None:
            raise refusal(self.outcome)
        return self.place

    async def value(self, secrets: SecretBackends) -> bytes:
        """Return the value. Call it after the transaction: the backend may be an external call."""
        place = self.require()
        try:
            return await secrets.backend(self.backend).read(place, self.stored)
        except Unopened as error:
            log.error("secret.unopened", path=place.path, error=str(error))
            raise refusals.SecretUnopened(
                "The value cannot be opened. The operator finds the reason in the log."
            ) from None


def checked_hosts(hosts: Sequence[str]) -> tuple[str, ...]:
    """Normalise hosts, without duplicates.

    Raises:
        Invalid: one is not a host.
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
    """Create a secret, or replace its current value, or change its other properties.

    Idempotent. No transaction is open while the value is sealed.

    Raises:
        Invalid: the path or the kind is wrong, or a new secret has no value.
    """
    async with database.platform() as session:
        refuse_operator_issued(actor, await api_key.issuer_chain(session, actor), "change secrets")
    if value is None:
        async with database.platform() as session:
            found = await rows.find(session, wanted.org_id, wanted.path)
            if found is None:
                raise Invalid("There is no secret at this path. Send its value.", extra={"field": "value"})
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
    """Assign the number of the next version, creating the secret if needed.

    Returns:
        The secret and the number; None if the command has stored its version already.

    Raises:
        Invalid: the path or the kind is wrong, or differs from the existing secret's kind.
    """
    check_path(wanted.path)
    check_kind(wanted.path, wanted.kind)
    held = await organization.lock(session, wanted.org_id)
    found = await rows.find(session, wanted.org_id, wanted.path)
    if wanted.rotation is not None:
        # Refuse before the secret is created.
        there = () if found is None else found.hosts
        rotation_plan.check(wanted.rotation, wanted.kind, there if wanted.hosts is None else wanted.hosts)
    made = await rows.made_by(session, command_id)
    if made is not None:
        if found is None or found.id != made.secret_id:
            raise other_request()
        return found, None
    if found is None:
        if await rows.count(session, held.id) >= MAX_SECRETS:
            raise _limit(f"The organization has {MAX_SECRETS} secrets, which is the maximum.", MAX_SECRETS)
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
    """Store the sealed value of a number. The first one stays; a repetition returns that version.

    A `current` version replaces the previous one, which can be opened until `usable_until`; a `pending` version
    replaces another pending one.
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
    """Retire the previous version, and make the current one previous until a time."""
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
    """Promote a version; the previous one can be opened until a time. Idempotent."""
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
    """Retire a pending or previous version. Idempotent."""
    await rows.locked(session, secret_id)
    row = await rows.version(session, secret_id, number)
    if row is None or row.status in (VersionStatus.RETIRED.value, VersionStatus.DESTROYED.value):
        return
    if row.status == VersionStatus.CURRENT.value:
        raise refusals.SecretCurrent("The version is the current one. Store a new value first.")
    row.status, row.usable_until = VersionStatus.RETIRED.value, None
    await session.flush()


async def destroy(session: AsyncSession, actor: Actor, secret_id: str, number: int, *, now: datetime) -> ValueLocation:
    """Destroy a version and its key permanently, also the current one. Idempotent.

    An assigned number without a version becomes a destroyed version, because the backend may have its value. Nothing
    can be stored for that number later.

    The caller then destroys the returned location at the backend, which can be repeated.

    Raises:
        NotFound: the version does not exist.
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
    """Open a secret for a verb, or refuse it; both are logged when the transaction commits.

    Needs the platform's session.

    Raises:
        NotFound: the path exceeds the maximum length; this is not logged, to limit the log's size.
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
