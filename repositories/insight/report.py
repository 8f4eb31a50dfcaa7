"""Statements about reports and the files of their runs. Writing needs a platform session; tenants read their own."""

import hashlib
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import undefer

from domain.common.errors import NotFound
from domain.insight.report import ReportDefinition
from models.insight.report import Report, ReportRun
from models.tenants.organization import Organization
from repositories.common.listing import ListFilter, Listing, ListPage
from repositories.common.required import get_required, require_found

MISSING = "There is no such report."
NO_RUN = "The report has no such run."
PREFIX = "rpt"


async def get(session: AsyncSession, report_id: str, *, lock: bool = False) -> Report:
    """Return a report, even a deleted one; with `lock` it is locked until the transaction ends.

    Raises:
        NotFound: there is none that the session may see.
    """
    return await get_required(session, Report, report_id, PREFIX, MISSING, fresh=True, lock=lock)


_LIST = Listing(of=Report, order=[Report.id], prefix=PREFIX)


async def page(session: AsyncSession, org_id: str | None, wanted: ListFilter) -> ListPage[Report]:
    """Return a page of the reports of an organization, or of operators, that are not deleted; newest first."""
    return await _LIST.page(session, wanted, [_open(org_id)])


async def number(session: AsyncSession, org_id: str | None) -> int:
    """Return how many reports an organization, or operators, have that are not deleted."""
    return await session.scalar(select(func.count()).select_from(Report).where(*_open(org_id))) or 0


def _open(org_id: str | None) -> tuple[ColumnElement[bool], ...]:
    return Report.org_id.is_not_distinct_from(org_id), Report.ended_at.is_(None)


async def add(session: AsyncSession, row: Report) -> Report:
    session.add(row)
    await session.flush()
    await session.refresh(row)
    return row


async def due(session: AsyncSession, *, now: datetime, after: str, limit: int) -> Sequence[Report]:
    """Return reports with a due run, by id: the next one, or a recomputation of a period."""
    lives = or_(Report.org_id.is_(None), Organization.status != "closed")
    looks = Report.id.in_(select(ReportRun.report_id).where(ReportRun.look_again_at <= now))
    query = select(Report).outerjoin(Organization, Organization.id == Report.org_id)
    query = query.where(or_(Report.due_at <= now, looks), Report.ended_at.is_(None), Report.id > after, lives)
    return (await session.scalars(query.order_by(Report.id).limit(limit))).all()


async def to_look_at(session: AsyncSession, report_ids: Collection[str], *, now: datetime) -> set[tuple[str, str]]:
    """Return the reports with their periods that are due to be recomputed."""
    query = select(ReportRun.report_id, ReportRun.period)
    query = query.where(ReportRun.report_id.in_(report_ids), ReportRun.look_again_at <= now)
    return {(report_id, period) for report_id, period in await session.execute(query)}


async def looked_at(session: AsyncSession, report_id: str, period: str) -> None:
    """Record that a period was recomputed."""
    of_period = ReportRun.report_id == report_id, ReportRun.period == period, ReportRun.look_again_at.is_not(None)
    await session.execute(update(ReportRun).where(*of_period).values(look_again_at=None))


async def advance(
    session: AsyncSession, report_id: str, definition: ReportDefinition, *, period_from: datetime, due_at: datetime
) -> None:
    values = {"definition": definition.stored(), "next_definition": None, "period_from": period_from, "due_at": due_at}
    await session.execute(update(Report).where(Report.id == report_id).values(**values))


async def latest(session: AsyncSession, report_id: str, period: str) -> ReportRun | None:
    """Return the latest version of a period, without its file, or None."""
    query = select(ReportRun).where(ReportRun.report_id == report_id, ReportRun.period == period)
    return (await session.scalars(query.order_by(ReportRun.version.desc()).limit(1))).one_or_none()


async def last_number(session: AsyncSession, report_id: str) -> int:
    """Return the number of a report's last run, or 0."""
    query = select(func.coalesce(func.max(ReportRun.number), 0)).where(ReportRun.report_id == report_id)
    return int((await session.execute(query)).scalar_one())


async def keep(session: AsyncSession, file: bytes, **values: Any) -> ReportRun:
    row = ReportRun(**values, file=file, sha256=hashlib.sha256(file).hexdigest())
    session.add(row)
    await session.flush()
    return row


async def run(session: AsyncSession, report_id: str, number: str) -> ReportRun:
    """Return a run with its file; `number` is the text of a path.

    Raises:
        NotFound: there is none that the session may see.
    """
    if not (number.isascii() and number.isdecimal() and len(number) < 10):
        raise NotFound(NO_RUN)
    query = select(ReportRun).where(ReportRun.report_id == report_id, ReportRun.number == int(number))
    return require_found((await session.scalars(query.options(undefer(ReportRun.file)))).one_or_none(), NO_RUN)


_RUNS = Listing(of=ReportRun, order=[ReportRun.number], created="made_at")


async def runs(session: AsyncSession, report_id: str, wanted: ListFilter) -> ListPage[ReportRun]:
    """Return a page of a report's runs, newest first, without their files."""
    return await _RUNS.page(session, wanted, [(ReportRun.report_id == report_id,)])


async def forget(session: AsyncSession, before: datetime, *, limit: int) -> int:
    """Delete runs made before a moment; returns the number, up to the limit."""
    row = ReportRun
    old = select(row.report_id, row.number).where(row.made_at < before).order_by(row.made_at).limit(limit).subquery()
    gone = delete(row).where(row.report_id == old.c.report_id, row.number == old.c.number)
    return len((await session.scalars(gone.returning(row.number))).all())
