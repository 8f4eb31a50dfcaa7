"""How a secret is rotated, as its owner puts it."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from domain.messages.alert.kinds import ROTATION_FAILED, ROTATION_OVERDUE, ROTATION_WAITS
from domain.secrets import rotation as rules
from domain.secrets.rotation import RotationPlan
from domain.secrets.rotation_plan import OFF, check_plan
from domain.secrets.secret import SecretKind
from models.secrets.secret import Secret
from repositories.messages import alert
from repositories.secrets import rotation as rotations


def check(document: Mapping[str, Any], kind: SecretKind, hosts: Collection[str]) -> None:
    """Refuse a document that does not fit a secret."""
    if document != OFF:
        check_plan(RotationPlan.of(document), kind, hosts)


async def stored(session: AsyncSession, secret: Secret, now: datetime) -> None:
    """Count the value that a person has stored as the rotation, where people set values; the secret is locked."""
    held = await rotations.state(session, secret)
    after = None if held is None else rules.stored_by_hand(held, now)
    if after is not None:
        await rotations.write(session, secret, after, now)
        await alert.close_cases(session, secret.id, (ROTATION_WAITS, ROTATION_FAILED, ROTATION_OVERDUE))


async def plan(session: AsyncSession, secret: Secret, document: Mapping[str, Any], now: datetime) -> None:
    """Set how a secret is rotated, or with `OFF` that it is not; the caller has locked it, and set its hosts."""
    held = await rotations.state(session, secret)
    if held is not None and dict(document) == secret.rotation:
        return
    if document == OFF:
        if held is not None:
            rules.planned(held, held.plan)
            await rotations.end(session, secret.id)
            await alert.close_cases(session, secret.id, (ROTATION_WAITS, ROTATION_FAILED, ROTATION_OVERDUE))
        secret.rotation = None
        return
    check(document, SecretKind(secret.kind), secret.hosts)
    after = RotationPlan.of(document)
    made = rules.scheduled(after, now) if held is None else rules.planned(held, after)
    secret.rotation = dict(document)
    await session.flush()
    if held is not None and made.due_at != held.due_at:
        await alert.close_cases(session, secret.id, (ROTATION_WAITS, ROTATION_OVERDUE))
    await rotations.write(session, secret, made, now)
