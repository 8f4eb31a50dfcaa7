"""Acknowledges, resolves and snoozes alerts, by their organizations and by operators.

Each function returns the alert, and whether the call has changed it; see `repositories.messages.alert` for what it
raises.
"""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.access import Actor
from domain.common.text import rfc3339
from models.messages.alert import Alert
from repositories.messages import alert
from repositories.tenants import audit


async def acknowledge(session: AsyncSession, actor: Actor, alert_id: str) -> tuple[Alert, bool]:
    """Acknowledge an alert, for operators or for its organization."""
    changed = await alert.acknowledge(session, alert_id, actor.principal, for_organization=not actor.is_platform)
    return await _recorded(session, actor, "acknowledge", *changed)


async def resolve(session: AsyncSession, actor: Actor, alert_id: str) -> tuple[Alert, bool]:
    """Resolve an alert by hand."""
    changed = await alert.resolve_one(session, alert_id, actor.principal, for_organization=not actor.is_platform)
    return await _recorded(session, actor, "resolve", *changed)


async def snooze(session: AsyncSession, actor: Actor, alert_id: str, *, until: datetime) -> tuple[Alert, bool]:
    """Snooze an alert, for operators or for its organization."""
    changed = await alert.snooze(session, alert_id, until, for_organization=not actor.is_platform)
    return await _recorded(session, actor, "snooze", *changed, until=rfc3339(until))


async def _recorded(
    session: AsyncSession, actor: Actor, act: str, row: Alert, changed: bool, **details: str
) -> tuple[Alert, bool]:
    if changed:
        await audit.record(session, actor, f"alert.{act}", row.id, {"kind": row.kind, **details}, row.org_id)
    return row, changed
