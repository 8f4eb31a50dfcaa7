"""Spend controls, their versions and what counts in their windows. `ledger.controls` writes them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.errors import NotFound
from domain.ids import is_id, uuid_of
from domain.spend.calendar import Window
from domain.spend.control import ControlStatus, SubjectKind
from domain.spend.presentation import Counted
from ledger.controls import MISSING
from models.spend import Spend, SpendCounter, SpendRefusal
from models.spend_control import SpendControl, SpendControlVersion
from repositories.listing import Part, newest


async def get(session: AsyncSession, control_id: str) -> SpendControl:
    """Return the control as it is now; NotFound when there is none, or it is not the session's to see."""
    found = None
    if is_id(control_id, "ctl"):
        found = await session.get(SpendControl, uuid_of(control_id), populate_existing=True)
    if found is None:
        raise NotFound(MISSING)
    return found


async def of_subject(
    session: AsyncSession, org_id: str, kind: SubjectKind, subject_id: str, asset: str
) -> SpendControl | None:
    """Return the subject's control in an asset that is not closed, as it is now."""
    query = select(SpendControl).where(
        SpendControl.org_id == org_id,
        SpendControl.kind == "limit",
        SpendControl.subject_kind == kind.value,
        SpendControl.subject_id == subject_id,
        SpendControl.asset == asset,
        SpendControl.status != ControlStatus.CLOSED.value,
    )
    return (await session.scalars(query.execution_options(populate_existing=True))).one_or_none()


async def has_open(session: AsyncSession, org_id: str, kind: SubjectKind, subject_id: str) -> bool:
    """Tell whether the subject has a control that is not closed, in any asset."""
    query = select(SpendControl.id).where(
        SpendControl.org_id == org_id,
        SpendControl.subject_kind == kind.value,
        SpendControl.subject_id == subject_id,
        SpendControl.status != ControlStatus.CLOSED.value,
    )
    return (await session.scalars(query.limit(1))).one_or_none() is not None


async def page(
    session: AsyncSession,
    *,
    org_id: str | None,
    kind: SubjectKind | None,
    subject_id: str | None,
    open_only: bool,
    before: UUID | None,
    limit: int,
) -> Sequence[SpendControl]:
    """List controls that the session may see, newest first."""
    asked = (
        (SpendControl.org_id, org_id),
        (SpendControl.subject_kind, None if kind is None else kind.value),
        (SpendControl.subject_id, subject_id),
    )
    part: Part = tuple(column == wanted for column, wanted in asked if wanted is not None)
    if open_only:
        part = (*part, SpendControl.status != ControlStatus.CLOSED.value)
    position = None if before is None else (before,)
    return (await session.scalars(newest(SpendControl, [part], [SpendControl.id], after=position, limit=limit))).all()


async def versions(
    session: AsyncSession, control_id: UUID, *, before: int | None, limit: int
) -> Sequence[SpendControlVersion]:
    """List the versions of a control, newest first."""
    query = select(SpendControlVersion).where(SpendControlVersion.control_id == control_id)
    if before is not None:
        query = query.where(SpendControlVersion.version < before)
    return (await session.scalars(query.order_by(SpendControlVersion.version.desc()).limit(limit))).all()


async def version_of_command(session: AsyncSession, command_id: str) -> SpendControlVersion | None:
    """Return the version that a command made, if it made one."""
    query = select(SpendControlVersion).where(SpendControlVersion.command_id == command_id)
    return (await session.scalars(query)).one_or_none()


async def counted(
    session: AsyncSession, controls: Sequence[SpendControl], at: datetime
) -> Mapping[UUID, Mapping[Window, Counted]]:
    """Return what counts in the windows that hold a moment; a window without a counter is left out."""
    query = select(SpendCounter).where(
        SpendCounter.control_id.in_([control.id for control in controls]),
        SpendCounter.starts_at <= at,
        SpendCounter.ends_at > at,
    )
    found: dict[UUID, dict[Window, Counted]] = defaultdict(dict)
    for row in await session.scalars(query.execution_options(populate_existing=True)):
        spent = row.spent + row.forced - row.refunded
        found[row.control_id][Window(row.window)] = Counted(spent_minor=spent, held_minor=row.held, uses=row.uses_spent)
    return found


async def spends(
    session: AsyncSession, control: SpendControl, *, before: UUID | None, limit: int
) -> Sequence[tuple[Spend, int]]:
    """List the spends that count in a control, newest first, each with how much it counts there in the control's asset.

    A control that counts few of its organization's spends is searched for among all of them.
    """
    counters = list(await session.scalars(select(SpendCounter.id).where(SpendCounter.control_id == control.id)))
    counted_there = literal(counters, ARRAY(BigInteger))
    query = select(Spend).where(Spend.org_id == control.org_id, Spend.counted_in.bool_op("&&")(counted_there))
    if before is not None:
        query = query.where(Spend.id < before)
    found, own = (await session.scalars(query.order_by(Spend.id.desc()).limit(limit))).all(), frozenset(counters)
    return [(row, next(n for id_, n in zip(row.counted_in, row.counted, strict=True) if id_ in own)) for row in found]


async def refusals(
    session: AsyncSession, control: SpendControl, *, before: UUID | None, limit: int
) -> Sequence[SpendRefusal]:
    """List what a control refused, newest first."""
    part = (SpendRefusal.org_id == control.org_id, SpendRefusal.control_id == control.id)
    position = None if before is None else (before,)
    return (await session.scalars(newest(SpendRefusal, [part], [SpendRefusal.id], after=position, limit=limit))).all()
