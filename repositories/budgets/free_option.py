"""The catalogue of free options. Writing needs a platform session; tenants read their own."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.budgets.policy import FreeOption, quota_window_start
from models.budgets.free_option import FreeOptionRow
from repositories.common.required import get_required

MISSING = "There is no such free option."


async def get(session: AsyncSession, option_id: str) -> FreeOptionRow:
    return await get_required(session, FreeOptionRow, option_id, "fro", MISSING)


async def listed(session: AsyncSession, org_id: str, *, lock: bool = False) -> Sequence[FreeOptionRow]:
    """Return the whole catalogue of an organization, by category and name; locked until the transaction ends."""
    query = select(FreeOptionRow).where(FreeOptionRow.org_id == org_id)
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    return (await session.scalars(query.order_by(FreeOptionRow.category, FreeOptionRow.name))).all()


def option_of(row: FreeOptionRow, at: datetime) -> FreeOption:
    return FreeOption(
        name=row.name,
        category=row.category,
        address=row.address,
        quota=row.quota,
        quota_window=row.quota_window,
        used=_used(row, at),
    )


def _used(row: FreeOptionRow, at: datetime) -> int:
    if row.quota_window is None or row.used_since is None or row.used_since < quota_window_start(row.quota_window, at):
        return 0
    return row.used
