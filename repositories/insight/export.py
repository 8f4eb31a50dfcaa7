"""Exports and their files. Tenants order and read their own; everything else needs a platform session."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import and_, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.insight.export import ExportStatus
from models.insight.export import ExportFileRow, ExportRow
from repositories.common.listing import ListFilter, Listing, ListPage, in_states, of_owner
from repositories.common.required import get_required

MISSING = "There is no such export."
_LIST = Listing(of=ExportRow, order=[ExportRow.id], prefix="exp")
_SETTLED = text("""
    UPDATE exports SET horizon = pg_current_xact_id()::text::bigint
    WHERE id = :id AND horizon IS NULL
""")
_OLDEST = text("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")


async def get(session: AsyncSession, export_id: str) -> ExportRow:
    return await get_required(session, ExportRow, export_id, "exp", MISSING)


async def page(session: AsyncSession, wanted: ListFilter) -> ListPage[ExportRow]:
    """Return a page of the exports, newest first."""
    part = of_owner(ExportRow.org_id, wanted)
    return await _LIST.page(session, wanted, [part], besides=in_states(wanted))


async def kept(session: AsyncSession, org_id: str | None, created_by: str | None = None) -> int:
    """Count the exports of an organization, or of the platform, whose files are not deleted; all or somebody's."""
    whose = ExportRow.org_id.is_(None) if org_id is None else ExportRow.org_id == org_id
    whose = whose if created_by is None else and_(whose, ExportRow.created_by == created_by)
    query = select(func.count()).select_from(ExportRow).where(whose, ExportRow.status != ExportStatus.EXPIRED.value)
    return int((await session.scalars(query)).one())


async def files(session: AsyncSession, export_id: str) -> Sequence[ExportFileRow]:
    """Return the finished files of an export, in their order."""
    query = select(ExportFileRow).where(ExportFileRow.export_id == export_id).order_by(ExportFileRow.number)
    return (await session.scalars(query)).all()


async def file(session: AsyncSession, export_id: str, number: int) -> ExportFileRow | None:
    return await session.get(ExportFileRow, (export_id, number))


async def set_horizon(session: AsyncSession, export_id: str) -> None:
    """Fix which transactions have begun, once."""
    await session.execute(_SETTLED, {"id": export_id})


async def oldest_open(session: AsyncSession) -> int:
    """Return the id below which every transaction of the cluster has ended."""
    return int((await session.scalars(_OLDEST)).one())


async def stranded(session: AsyncSession, *, before: datetime, after: str, limit: int) -> Sequence[ExportRow]:
    """Return exports, by id, that are not done since a time, or whose files have been due to be deleted since then."""
    row = ExportRow
    open_ones = row.status.in_([ExportStatus.QUEUED.value, ExportStatus.RUNNING.value]) & (row.created_at < before)
    due = (row.status == ExportStatus.DONE.value) & (row.expires_at < before)
    query = select(row).where(row.status != ExportStatus.EXPIRED.value, row.id > after, open_ones | due)
    return (await session.scalars(query.order_by(row.id).limit(limit))).all()


async def note(session: AsyncSession, export_id: str, **changed: object) -> None:
    await session.execute(update(ExportRow).where(ExportRow.id == export_id).values(**changed))


async def add_file(session: AsyncSession, row: ExportFileRow) -> None:
    """Record a finished file, and count its rows to the export's."""
    session.add(row)
    await session.flush()
    counted = ExportRow.rows_done + row.rows
    await session.execute(update(ExportRow).where(ExportRow.id == row.export_id).values(rows_done=counted))


async def expire(session: AsyncSession, export_id: str, now: datetime) -> bool:
    """Mark an export whose files are due to be deleted; return whether it is marked."""
    query = select(ExportRow.expires_at).where(ExportRow.id == export_id)
    due = (await session.scalars(query)).one()
    if due is None or due > now:
        return False
    await note(session, export_id, status=ExportStatus.EXPIRED.value)
    return True
