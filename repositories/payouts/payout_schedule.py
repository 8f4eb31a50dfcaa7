"""Statements about schedules of payouts. Writing needs the platform's role."""

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.payouts.payout.schedule import PayoutInterval, PayoutSchedule
from models.payouts.payout import PayoutScheduleRow


def schedule_of(row: PayoutScheduleRow) -> PayoutSchedule:
    return PayoutSchedule(
        interval=PayoutInterval(row.interval), weekly_anchor=row.weekly_anchor, monthly_anchor=row.monthly_anchor
    )


async def find(session: AsyncSession, org_id: str, *, lock: bool = False) -> PayoutScheduleRow | None:
    """Return an organization's schedule when the session may see it; locked if requested."""
    query = select(PayoutScheduleRow).where(PayoutScheduleRow.org_id == org_id)
    if lock:
        query = query.with_for_update()
    return (await session.scalars(query.execution_options(populate_existing=True))).one_or_none()


async def put(
    session: AsyncSession, org_id: str, schedule: PayoutSchedule, *, next_on: date | None, by: str, at: datetime
) -> None:
    values = {
        "interval": schedule.interval.value,
        "weekly_anchor": schedule.weekly_anchor,
        "monthly_anchor": schedule.monthly_anchor,
        "next_on": next_on,
        "changed_by": by,
        "changed_at": at,
    }
    statement = insert(PayoutScheduleRow).values(org_id=org_id, **values)
    await session.execute(statement.on_conflict_do_update(index_elements=["org_id"], set_=values))


async def due(session: AsyncSession, *, today: date, after: str, limit: int) -> Sequence[str]:
    """Return the organizations that are due, after an id."""
    query = select(PayoutScheduleRow.org_id).where(PayoutScheduleRow.next_on <= today, PayoutScheduleRow.org_id > after)
    return (await session.scalars(query.order_by(PayoutScheduleRow.org_id).limit(limit))).all()


async def record_day(
    session: AsyncSession,
    org_id: str,
    *,
    next_on: date | None,
    last_on: date,
    payout_id: str | None,
    refusal: str | None,
) -> None:
    await session.execute(
        update(PayoutScheduleRow)
        .where(PayoutScheduleRow.org_id == org_id)
        .values(next_on=next_on, last_on=last_on, last_payout_id=payout_id, last_refusal=refusal)
    )
