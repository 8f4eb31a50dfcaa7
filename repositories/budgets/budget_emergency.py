"""Statements about emergencies of budgets."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.budgets.budget_emergency import BudgetEmergency as Row


async def open_of(
    session: AsyncSession, control_ids: Collection[UUID], *, at: datetime
) -> Mapping[UUID, Sequence[Row]]:
    """Return the emergencies that have not ended, begun or not, by budget, oldest first."""
    query = select(Row).where(Row.control_id.in_(control_ids), Row.ended_at.is_(None), Row.ends_at > at)
    found: dict[UUID, list[Row]] = {}
    for row in await session.scalars(query.order_by(Row.id).execution_options(populate_existing=True)):
        found.setdefault(row.control_id, []).append(row)
    return found
