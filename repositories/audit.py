"""The audit trail: one entry for each privileged act, in the act's own transaction."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.access import Actor
from models.audit import AuditEntry
from repositories.listing import Part, newest
from repositories.together import Writes


async def record(
    session: Writes,
    actor: Actor,
    action: str,
    target: str,
    details: Mapping[str, Any] | None = None,
    org_id: str | None = None,
) -> None:
    """Write who did what. `org_id` is the organization that the act concerns; the actor's own when left out."""
    await session.execute(
        insert(AuditEntry).values(
            org_id=org_id or actor.org_id,
            principal=actor.principal,
            role=actor.role.value,
            actor_org_id=actor.org_id,
            key_id=actor.key_id,
            action=action,
            target=target,
            request_id=actor.request_id,
            address=actor.address,
            details=dict(details or {}),
        )
    )


async def page(
    session: AsyncSession,
    *,
    org_id: str | None,
    action: str | None,
    target: str | None,
    before: int | None,
    limit: int,
) -> Sequence[AuditEntry]:
    """List entries, newest first, that the session may see.

    `org_id` finds what concerns an organization and what its principals did; `before` is the id that the last page
    ended with.
    """
    asked = ((AuditEntry.action, action), (AuditEntry.target, target))
    part = tuple(column == wanted for column, wanted in asked if wanted is not None)
    parts: list[Part] = [part]
    if org_id is not None:
        elsewhere = AuditEntry.org_id.is_distinct_from(AuditEntry.actor_org_id)
        parts = [(AuditEntry.org_id == org_id, *part), (AuditEntry.actor_org_id == org_id, elsewhere, *part)]
    position = None if before is None else (before,)
    return (await session.scalars(newest(AuditEntry, parts, [AuditEntry.id], after=position, limit=limit))).all()
