"""Alerts about pools of budgets: draws from emergency pools, and low reserves."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.calendar import FOREVER
from domain.common.ids import uuid_id, uuid_of
from domain.common.money import CREDIT, format_amount
from domain.common.text import rfc3339
from repositories.budgets import budget_emergency, pool_draw
from repositories.messages import alert

#: The remaining part from which a reserve is low, in percent.
LOW_PERCENT = 20
#: The maximum number of alerts in a run.
MAX_ALERTS = 500


#: An emergency needs a second person. Subject: the budget.
EMERGENCY_WAITING = "emergency_waiting"


async def alert_emergency_waiting(session: AsyncSession, org_id: str, budget_id: str, by: str, until: datetime) -> None:
    """Raise the alert that asks for the second person of an emergency."""
    await alert.raise_alert(
        session,
        kind=EMERGENCY_WAITING,
        subject=budget_id,
        detail=f"{by} declares an emergency until {until:%Y-%m-%d %H:%M} UTC. Another person has to confirm it before "
        "the emergency pool opens.",
        org_id=org_id,
        key=f"{EMERGENCY_WAITING}:{budget_id}:{until:%Y-%m-%dT%H:%M:%S}",
        shared=True,
        for_operators=False,
    )


async def close_emergencies(session: AsyncSession, now: datetime) -> None:
    """Resolve the alerts of emergencies that need no second person any more."""
    asked = await alert.unresolved_subjects(session, EMERGENCY_WAITING, limit=MAX_ALERTS)
    waiting = await budget_emergency.open_of(session, [uuid_of(each) for each in asked], at=now)
    waits = {uuid_id("ctl", of) for of, rows in waiting.items() if any(row.begun_at is None for row in rows)}
    if over := set(asked) - waits:
        await alert.close_cases_of(session, over, [EMERGENCY_WAITING])


async def alert_pool_uses(session: AsyncSession, now: datetime) -> None:
    """Raise alerts about pools used in the last hour, each once."""
    for row in await pool_draw.emergency_pool_uses(session, now):
        what = f"A use of {format_amount(row.amount, CREDIT)} {CREDIT}"
        await alert_emergency_draw(session, row.org_id, uuid_id("spd", row.id), what)
    for row in await pool_draw.low_reserves(session, now, percent=LOW_PERCENT):
        resets_at = None if row.ends_at == FOREVER else row.ends_at
        await alert_reserve_low(session, row.org_id, row.control_id, row.asset, row.reserve, row.remaining, resets_at)


async def alert_emergency_draw(session: AsyncSession, org_id: str, subject: str, what: str) -> None:
    """Raise the alert of a draw from an emergency pool by `what`."""
    await alert.raise_alert(
        session,
        kind="emergency_draw",
        subject=subject,
        detail=f"{what} draws from the emergency pool.",
        org_id=org_id,
        key=f"emergency_draw:{subject}",
        shared=True,
        for_operators=False,
    )


async def alert_reserve_low(
    session: AsyncSession,
    org_id: str,
    control_id: UUID,
    asset: str,
    reserve_minor: int,
    remaining_minor: int,
    resets_at: datetime | None,
) -> None:
    """Raise the alert of a low reserve, once per window."""
    budget_id, until = uuid_id("ctl", control_id), "" if resets_at is None else rfc3339(resets_at)
    lasts = "for good" if resets_at is None else f"until {resets_at:%Y-%m-%d %H:%M} UTC"
    await alert.raise_alert(
        session,
        kind="reserve_low",
        subject=budget_id,
        detail=f"Of a reserve of {format_amount(reserve_minor, asset)} {asset} only "
        f"{format_amount(remaining_minor, asset)} are left {lasts}.",
        org_id=org_id,
        key=f"reserve_low:{budget_id}:{until}",
        shared=True,
        for_operators=False,
    )
