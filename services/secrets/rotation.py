"""Transactions of rotations: state, versions of the secret, and alerts."""

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.access import Actor, Role, refuse_operator_issued
from domain.common.errors import NotRotated
from domain.common.text import rfc3339
from domain.messages.alert.kinds import ROTATION_FAILED, ROTATION_OVERDUE, ROTATION_WAITS
from domain.secrets import rotation as rules
from domain.secrets.rotation import Rotation, RotationAction, RotationFailed, RotationStatus
from domain.secrets.secret import SecretKind
from models.secrets.secret import Secret
from providers.secrets.base import Stored, ValueLocation
from providers.secrets.registry import SecretBackends
from repositories.messages import alert
from repositories.secrets import rotation as rotations, secret as secrets
from repositories.tenants import api_key, audit
from runtime.database import Database
from services.secrets import secret as service

#: Actor that opens, promotes and destroys versions.
ACTOR = Actor(principal="secret-rotation", role=Role.OPERATOR)
_NOT_ROTATED = "The secret has no rotation. Set one first."


async def change(
    session: AsyncSession, secret_id: str, decide: Callable[[Secret, Rotation], Rotation], now: datetime
) -> Rotation:
    """Decide under the secret's lock, and write the new state.

    Raises:
        NotRotated: the secret has no rotation.
    """
    secret = await secrets.locked(session, secret_id)
    held = await rotations.state(session, secret)
    if held is None:
        raise NotRotated(_NOT_ROTATED)
    after = decide(secret, held)
    await rotations.write(session, secret, after, now)
    return after


async def start_now(
    session: AsyncSession, actor: Actor, secret_id: str, *, grace: timedelta | None, now: datetime
) -> Rotation:
    """Start the next rotation at once.

    Raises:
        RotationUnderWay, Invalid, NotRotated: see `domain.secrets.rotation.due_now`.
    """
    after = await change(session, secret_id, lambda _, held: rules.due_now(held, grace=grace), now)
    secret = await secrets.locked(session, secret_id)
    await audit.record(session, actor, "secret.rotate", secret_id, {"path": secret.path}, secret.org_id)
    return after


async def supply(
    database: Database,
    backends: SecretBackends,
    actor: Actor,
    row: Secret,
    value: bytes,
    *,
    grace: timedelta | None,
    command_id: str,
    now: datetime,
) -> None:
    """Store a value that a person has set at the target as the pending version. Idempotent.

    Raises:
        RotationUnderWay, Invalid, NotRotated: see `domain.secrets.rotation.supplied`.
    """
    wanted = service.SecretChange(org_id=row.org_id, path=row.path, kind=SecretKind(row.kind))
    async with database.platform() as session:
        refuse_operator_issued(actor, await api_key.issuer_chain(session, actor), "change secrets")
        secret, number = await service.reserve(
            session, actor, wanted, backend=row.backend, command_id=command_id, now=now
        )
        if number is None:
            return
        # Refuse before sealing.
        _supplied(secret, await rotations.state(session, secret), number, grace)
    stored = await backends.backend(row.backend).store(ValueLocation(row.org_id, row.path, number), value)
    async with database.platform() as session:
        await change(session, row.id, lambda secret, held: _supplied(secret, held, number, grace), now)
        await service.add_version(
            session, row.id, number, stored, created_by=actor.qualified(), command_id=command_id, now=now
        )
        details: dict[str, object] = {"path": row.path, "version": number}
        await audit.record(session, actor, "secret.rotate", row.id, details, row.org_id)


def _supplied(secret: Secret, held: Rotation | None, number: int, grace: timedelta | None) -> Rotation:
    if held is None:
        raise NotRotated(_NOT_ROTATED)
    return rules.supplied(held, number=number, replaced=_current(secret), grace=grace)


def _current(secret: Secret) -> int:
    if secret.current_version is None:
        raise RotationFailed("The secret has no value to replace. Store one.")
    return secret.current_version


async def record(
    session: AsyncSession,
    secret_id: str,
    due: tuple[RotationAction, int],
    decide: Callable[[Secret, Rotation], Rotation],
    now: datetime,
) -> tuple[Secret, Rotation] | None:
    """Record a completed step; None if it is not due any more, because it was recorded before."""
    secret = await secrets.locked(session, secret_id)
    held = await rotations.state(session, secret)
    if held is None or not is_due(held, due, now):
        return None
    after = decide(secret, held)
    await rotations.write(session, secret, after, now)
    return secret, after


def is_due(held: Rotation, due: tuple[RotationAction, int], now: datetime) -> bool:
    """Return whether a step of a version is due."""
    return (rules.agenda(held, now), held.number) == due


async def create(
    session: AsyncSession,
    secret_id: str,
    due: tuple[RotationAction, int],
    number: int,
    replaced: int,
    stored: Stored,
    now: datetime,
) -> None:
    """Store the new value as the pending version, unless the secret was changed since its creation."""

    def decide(secret: Secret, held: Rotation) -> Rotation:
        check_unchanged(secret, replaced)
        return rules.created(held, number=number, replaced=replaced)

    if await record(session, secret_id, due, decide, now) is not None:
        command_id = f"rotation:{secret_id}:{number}"
        await service.add_version(
            session, secret_id, number, stored, created_by=ACTOR.qualified(), command_id=command_id, now=now
        )


async def promote(session: AsyncSession, secret_id: str, due: tuple[RotationAction, int], now: datetime) -> None:
    """Promote the pending version, and resolve alerts."""

    def decide(secret: Secret, held: Rotation) -> Rotation:
        check_unchanged(secret, held.replaced)
        return rules.promoted(held, now)

    done = await record(session, secret_id, due, decide, now)
    if done is not None:
        secret, after = done
        await service.promote(session, secret_id, after.number, usable_until=after.next_at, now=now)
        await alert.close_cases(session, secret_id, (ROTATION_WAITS, ROTATION_FAILED, ROTATION_OVERDUE))
        details: dict[str, object] = {"path": secret.path, "version": after.number}
        await audit.record(session, ACTOR, "secret.rotated", secret_id, details, secret.org_id)


async def end_version(session: AsyncSession, secret_id: str, due: tuple[RotationAction, int], now: datetime) -> None:
    """Record that a version was revoked or rolled back; the caller has destroyed it."""
    revoking = due[0] is RotationAction.REVOKE
    done = await record(
        session, secret_id, due, lambda _, held: rules.revoked(held) if revoking else rules.rolled_back(held, now), now
    )
    if done is not None and revoking:
        await alert.close_cases(session, secret_id, (ROTATION_FAILED,))


async def ask(session: AsyncSession, secret_id: str, due: tuple[RotationAction, int], now: datetime) -> None:
    """Raise the alert that requests a new value."""
    done = await record(session, secret_id, due, lambda _, held: rules.awaiting_value(held), now)
    if done is not None:
        secret, after = done
        await alert.raise_alert(
            session,
            kind=ROTATION_WAITS,
            subject=secret_id,
            detail=f"The secret {secret.path} must be replaced manually until {rfc3339(after.overdue_at)}. Set a new "
            f"value at its target, and send it: POST /secrets/{secret.path}/rotate.",
            org_id=secret.org_id,
            key=f"{ROTATION_WAITS}:{secret_id}:{rfc3339(after.due_at)}",
            shared=True,
            for_operators=False,
        )


async def report(session: AsyncSession, secret_id: str, due: tuple[RotationAction, int], now: datetime) -> None:
    """Raise the alert that a rotation is overdue."""
    done = await record(session, secret_id, due, lambda _, held: rules.reported(held), now)
    if done is not None:
        secret, after = done
        await alert.raise_alert(
            session,
            kind=ROTATION_OVERDUE,
            subject=secret_id,
            detail=f"The secret {secret.path} should have been replaced by {rfc3339(after.due_at)}, and its "
            f"rotation is {after.status.value}."
            + (f" The last attempt failed: {after.detail}" if after.detail else ""),
            org_id=secret.org_id,
            key=f"{ROTATION_OVERDUE}:{secret_id}:{rfc3339(after.overdue_at)}",
            shared=True,
        )


async def fail(
    session: AsyncSession,
    secret_id: str,
    due: tuple[RotationAction, int],
    detail: str,
    now: datetime,
    *,
    over_at: datetime,
) -> None:
    """Fail a step, with an alert for the first failure since the last success.

    The last attempt of the step is over at `over_at`.
    """
    done = await record(session, secret_id, due, lambda _, held: rules.failed(held, detail, over_at), now)
    if done is not None:
        secret, after = done
        old = after.status is RotationStatus.PROMOTED
        what = "The previous version could not be revoked." if old else "The current value stays in use."
        await alert.raise_alert(
            session,
            kind=ROTATION_FAILED,
            subject=secret_id,
            detail=f"The rotation of the secret {secret.path} failed at the step {due[0].value}: {after.detail} {what}",
            org_id=secret.org_id,
            key=f"{ROTATION_FAILED}:{secret_id}:{rfc3339(after.since)}:{'revoke' if old else 'replace'}",
            shared=True,
        )


async def stop(session: AsyncSession, actor: Actor, secret_id: str, now: datetime) -> None:
    """Abort the rotation on the owner's request; the run rolls back the target."""
    await change(session, secret_id, lambda _, held: rules.stopped(held, "Stopped on request.", now), now)
    secret = await secrets.locked(session, secret_id)
    await audit.record(session, actor, "secret.rotation_stopped", secret_id, {"path": secret.path}, secret.org_id)


async def give_up(session: AsyncSession, actor: Actor, secret_id: str, now: datetime) -> None:
    """Destroy a version whose rollback or revocation a person has completed; the due step then ends it."""
    after = await change(session, secret_id, lambda _, held: rules.given_up(held, now), now)
    secret = await secrets.locked(session, secret_id)
    await audit.record(session, actor, "secret.rotation_given_up", secret_id, {"path": secret.path}, secret.org_id)
    number = after.replaced if after.status is RotationStatus.PROMOTED else after.number
    await service.destroy(session, ACTOR, secret_id, number, now=now)


async def destroy(
    session: AsyncSession, actor: Actor, secret_id: str, number: int, *, now: datetime
) -> ValueLocation | None:
    """Destroy a version for its owner; None if it must be revoked at the target first: see `rules.ended_early`.

    The caller then destroys the returned location at the backend, or signals the run.
    """
    secret = await secrets.locked(session, secret_id)
    held = await rotations.state(session, secret)
    after = None if held is None else rules.ended_early(held, number, now)
    if after is None:
        return await service.destroy(session, actor, secret_id, number, now=now)
    await service.retire(session, secret_id, number, now=now)
    await rotations.write(session, secret, after, now)
    await audit.record(session, actor, "secret.destroy", secret_id, {"version": number}, secret.org_id)
    return None


def check_unchanged(secret: Secret, replaced: int) -> None:
    """Fail the rotation if the replaced version is no longer the current one.

    Raises:
        RotationFailed: a value was stored or destroyed since.
    """
    if secret.current_version != replaced:
        raise RotationFailed("The secret was changed during the rotation, so the new value was discarded.")
