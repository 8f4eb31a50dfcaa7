"""Where the rotations of secrets stand. Writing needs the platform's role."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.secrets.rotation import Rotation, RotationPlan, RotationStatus, wakes_at
from models.secrets.rotation import SecretRotation
from models.secrets.secret import Secret
from models.tenants.organization import Organization
from repositories.tenants import organization as organizations

_SECOND = timedelta(seconds=1)


async def state(session: AsyncSession, secret: Secret) -> Rotation | None:
    """Return where the rotation of a secret stands; None where it has no schedule.

    The caller has locked the secret if it goes on to write.
    """
    row = await session.get(SecretRotation, secret.id, populate_existing=True)
    return None if row is None or secret.rotation is None else state_of(row, RotationPlan.of(secret.rotation))


async def secret_and_rotation(session: AsyncSession, secret_id: str) -> tuple[Secret, Rotation] | None:
    """Return a secret and where its rotation stands; None where it is not rotated, or its organization is closed."""
    secret = await session.get(Secret, secret_id, populate_existing=True)
    if secret is None or await organizations.is_closed(session, secret.org_id):
        return None
    held = await state(session, secret)
    return None if held is None else (secret, held)


def state_of(row: SecretRotation, plan: RotationPlan) -> Rotation:
    return Rotation(
        plan=plan,
        status=RotationStatus(row.status),
        number=row.number,
        replaced=row.replaced,
        since=row.since,
        next_at=row.next_at,
        grace=None if row.grace_seconds is None else row.grace_seconds * _SECOND,
        asked=row.asked,
        failures=row.failures,
        detail=row.detail,
        reported=row.reported,
    )


async def write(session: AsyncSession, secret: Secret, held: Rotation, now: datetime) -> None:
    values = {
        "secret_id": secret.id,
        "org_id": secret.org_id,
        "status": held.status.value,
        "number": held.number,
        "replaced": held.replaced,
        "since": held.since,
        "next_at": held.next_at,
        "grace_seconds": None if held.grace is None else held.grace // _SECOND,
        "asked": held.asked,
        "failures": held.failures,
        "detail": held.detail,
        "reported": held.reported,
        "wake_at": wakes_at(held, now),
    }
    made = insert(SecretRotation).values(values)
    await session.execute(made.on_conflict_do_update(index_elements=["secret_id"], set_=values))


async def end(session: AsyncSession, secret_id: str) -> None:
    """Let nothing wake the run of a secret that is not rotated any more."""
    row = await session.get(SecretRotation, secret_id, populate_existing=True)
    if row is not None:
        row.wake_at = None
        await session.flush()


async def overdue_rotations(
    session: AsyncSession, *, before: datetime, after: str, limit: int
) -> Sequence[SecretRotation]:
    """Return rotations, by secret, whose run should have done something before a time."""
    row = SecretRotation
    query = select(row).join(Organization, Organization.id == row.org_id)
    query = query.where(row.wake_at < before, row.secret_id > after, Organization.status != "closed")
    return (await session.scalars(query.order_by(row.secret_id).limit(limit))).all()
