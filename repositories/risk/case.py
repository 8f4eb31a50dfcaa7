"""Statements about cases of suspected fraud, their timeline, holds, and what surrounds them.

All need the platform's role.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, Text, literal, literal_column, or_, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.ids import is_id
from domain.risk.case import UNDECIDED, Case, CaseKind, CaseOutcome, ListEntry, NewHold, deadline
from models.risk.case import RiskCase, RiskCaseEvent, RiskHold
from models.risk.decision import RiskDecision
from models.risk.rule import RiskListItem
from repositories.common.listing import ListFilter, Listing, ListPage, Part, part_per_value

_STATE: TypeAdapter[Case] = TypeAdapter(Case)
#: The prefix of ids.
PREFIX = "rcs"
MISSING = "There is no such case."
_UNDECIDED = [status.value for status in sorted(UNDECIDED)]


def state_of(row: RiskCase) -> Case:
    """Return the state, with the organizations and the money that joined since the run wrote it."""
    case = _STATE.validate_python(row.state)
    return replace(case, org_ids=tuple(row.org_ids), value_minor=row.value_minor)


async def get(session: AsyncSession, case_id: str, *, lock: bool = False) -> RiskCase | None:
    """Return a case; with `lock` it is locked until the transaction ends."""
    if not is_id(case_id, PREFIX):
        return None
    return await session.get(RiskCase, case_id, populate_existing=True, with_for_update=lock or None)


async def open_of(session: AsyncSession, kind: CaseKind, group: str) -> RiskCase | None:
    """Return the case of a kind and group that waits for its first decision, locked; None if there is none."""
    # The literals of the partial index, so that the plan can use it.
    undecided = RiskCase.status.in_([literal_column(f"'{status}'") for status in _UNDECIDED])
    query = select(RiskCase).where(RiskCase.kind == kind.value, RiskCase.group == group, undecided)
    return (await session.scalars(query.with_for_update().execution_options(populate_existing=True))).one_or_none()


async def create(
    session: AsyncSession, case: Case, *, command_id: str, actor: str, details: Mapping[str, object]
) -> bool:
    """Write a new case with its first event; return False if its kind and group have one already."""
    values = {
        "id": case.case_id,
        "kind": case.kind.value,
        "group": case.group,
        "org_ids": list(case.org_ids),
        "value_minor": case.value_minor,
        "created_at": case.opened_at,
        **_changing(case, case.opened_at),
    }
    made = await session.execute(insert(RiskCase).values(**values).on_conflict_do_nothing().returning(RiskCase.id))
    if made.one_or_none() is None:
        return False
    await _add_event(session, case, "opened", actor, command_id, details, case.opened_at)
    return True


async def write(session: AsyncSession, outcome: CaseOutcome, *, command_id: str, at: datetime) -> None:
    """Write one event and the state after it; the caller holds the row's lock."""
    case = outcome.case
    await session.execute(update(RiskCase).where(RiskCase.id == case.case_id).values(**_changing(case, at)))
    await _add_event(session, case, outcome.event, outcome.actor, command_id, outcome.details, at)


def _changing(case: Case, at: datetime) -> dict[str, Any]:
    found = deadline(case)
    return {
        "status": case.status.value,
        "state": _STATE.dump_python(case, mode="json"),
        "version": case.version,
        "assigned_to": case.assigned_to,
        "due_at": None if found is None else found[0],
        "updated_at": at,
    }


async def _add_event(
    session: AsyncSession,
    case: Case,
    kind: str,
    actor: str,
    command_id: str,
    details: Mapping[str, object],
    at: datetime,
) -> None:
    event = {"case_id": case.case_id, "number": case.version, "kind": kind, "actor": actor, "command_id": command_id}
    await session.execute(insert(RiskCaseEvent).values(**event, details=dict(details), at=at))


async def join(session: AsyncSession, row: RiskCase, org_ids: Sequence[str], value_minor: int) -> None:
    """Set the money at stake of a case that the caller has locked, and add organizations."""
    row.org_ids = list(dict.fromkeys((*row.org_ids, *org_ids)))
    row.value_minor = value_minor
    await session.flush()


async def has_done(session: AsyncSession, case_id: str, command_id: str) -> bool:
    """Return whether a command has caused an event at any time."""
    row = RiskCaseEvent
    query = select(row.number).where(row.case_id == case_id, row.command_id == command_id)
    return (await session.scalars(query)).one_or_none() is not None


async def versions(session: AsyncSession, case_ids: Sequence[str]) -> dict[str, int]:
    """Return the number of the latest event of cases."""
    query = select(RiskCase.id, RiskCase.version).where(RiskCase.id.in_(case_ids))
    return {row.id: row.version for row in await session.execute(query)}


async def stranded(session: AsyncSession, *, before: datetime, after: str, limit: int) -> Sequence[RiskCase]:
    """Return cases whose deadline passed before a time, by id, after the id `after`."""
    query = select(RiskCase).where(RiskCase.due_at < before, RiskCase.id > after).order_by(RiskCase.id)
    return (await session.scalars(query.limit(limit))).all()


# Holds, labels and lists ----------------------------------------------------------------------------------------------


async def hold(session: AsyncSession, case_id: str, holds: Sequence[NewHold], at: datetime) -> None:
    """Place holds; one that the case has already stays as it is."""
    rows = [
        {
            "case_id": case_id,
            "kind": each.kind.value,
            "subject": each.subject,
            "org_id": each.org_id,
            "until": each.until(at),
            "created_at": at,
        }
        for each in holds
    ]
    if rows:
        await session.execute(insert(RiskHold).values(rows).on_conflict_do_nothing())


async def end_holds(session: AsyncSession, case_id: str, at: datetime) -> None:
    """End what a case holds."""
    open_ones = (RiskHold.case_id == case_id, RiskHold.ended_at.is_(None))
    await session.execute(update(RiskHold).where(*open_ones).values(ended_at=at))


async def extend_holds(session: AsyncSession, case_id: str, until: datetime) -> None:
    """Hold what a case holds until a later time."""
    open_ones = (RiskHold.case_id == case_id, RiskHold.ended_at.is_(None), RiskHold.until < until)
    await session.execute(update(RiskHold).where(*open_ones).values(until=until))


async def holds_of(session: AsyncSession, case_id: str) -> Sequence[RiskHold]:
    """Return what a case holds and held."""
    query = select(RiskHold).where(RiskHold.case_id == case_id).order_by(RiskHold.created_at, RiskHold.subject)
    return (await session.scalars(query)).all()


async def label(session: AsyncSession, case_id: str, name: str, at: datetime) -> None:
    """Label the decisions of a case: `fraud` or `legitimate`."""
    mine = update(RiskDecision).where(RiskDecision.case_id == case_id)
    await session.execute(mine.values(label=name, label_at=at))


async def list_entries(
    session: AsyncSession,
    case_id: str,
    entries: Sequence[tuple[str, ListEntry]],
    *,
    reason: str,
    by: str,
    command_id: str,
    at: datetime,
) -> None:
    """List entities by a decision of a case, once for a command. Each comes with the id of its item."""
    rows = [
        {
            "id": item_id,
            "list": each.list.value,
            "entity": each.entity,
            "reason": reason,
            "ends_at": at + timedelta(days=each.days),
            "case_id": case_id,
            "created_by": by,
            "command_id": command_id,
            "created_at": at,
        }
        for item_id, each in entries
    ]
    if rows:
        await session.execute(insert(RiskListItem).values(rows).on_conflict_do_nothing())


async def end_entries(session: AsyncSession, case_id: str, *, by: str, at: datetime) -> None:
    """Take from the lists what earlier decisions of a case listed."""
    mine = (RiskListItem.case_id == case_id, RiskListItem.removed_at.is_(None))
    await session.execute(update(RiskListItem).where(*mine).values(removed_at=at, removed_by=by))


async def blocked_decision(session: AsyncSession, decision_id: str, org_id: str) -> RiskDecision | None:
    """Return a decision of an organization, locked; None if there is none."""
    whose = (RiskDecision.id == decision_id, RiskDecision.org_id == org_id)
    return (await session.scalars(select(RiskDecision).where(*whose).with_for_update())).one_or_none()


async def attach(session: AsyncSession, decision_id: str, case_id: str) -> None:
    """Make a case decide about an act."""
    await session.execute(update(RiskDecision).where(RiskDecision.id == decision_id).values(case_id=case_id))


# Reading --------------------------------------------------------------------------------------------------------------

_LIST = Listing(of=RiskCase, order=[RiskCase.id], prefix=PREFIX)


async def page(session: AsyncSession, wanted: ListFilter) -> ListPage[RiskCase]:
    """Return a page of cases, newest first; `org_id` selects those that affect an organization."""
    part: Part = () if wanted.org_id is None else (_affects([wanted.org_id]),)
    parts = [(*part, *status) for status in part_per_value(RiskCase.status, wanted.statuses)]
    return await _LIST.page(session, wanted, parts)


def _affects(org_ids: Sequence[str]) -> ColumnElement[bool]:
    overlap: ColumnElement[bool] = RiskCase.org_ids.overlap(literal(list(org_ids), ARRAY(Text)))
    return overlap


async def timeline(session: AsyncSession, case_id: str) -> Sequence[RiskCaseEvent]:
    """Return the newest 200 events of a case, oldest first."""
    row = RiskCaseEvent
    query = select(row).where(row.case_id == case_id).order_by(row.number.desc()).limit(200)
    return list(reversed((await session.scalars(query)).all()))


async def decisions_of(session: AsyncSession, case_id: str, *, limit: int = 100) -> Sequence[RiskDecision]:
    """Return the newest decisions of a case."""
    row = RiskDecision
    query = select(row).where(row.case_id == case_id).order_by(row.id.desc()).limit(limit)
    return (await session.scalars(query)).all()


async def appeal_of(session: AsyncSession, decision_id: str) -> RiskCase | None:
    """Return the case that appeals a decision, or None."""
    mine = (RiskCase.kind == CaseKind.APPEAL.value, RiskCase.group == decision_id)
    return (await session.scalars(select(RiskCase).where(*mine))).one_or_none()


#: What more than 50 organizations share links nobody.
_LINKS = text(
    """
    SELECT DISTINCT l.entity, o.org_id
    FROM risk_links l
    JOIN LATERAL (SELECT org_id FROM risk_links WHERE entity = l.entity LIMIT 51) o ON true
    WHERE l.org_id = ANY (:org_ids)
        AND (SELECT count(*) FROM (SELECT FROM risk_links WHERE entity = l.entity LIMIT 51) s) BETWEEN 2 AND 50
    ORDER BY l.entity, o.org_id LIMIT :limit
    """
)


async def links(session: AsyncSession, org_ids: Sequence[str], *, limit: int) -> list[tuple[str, str]]:
    """Return pairs of a shared entity and an organization that used it, of all that organizations share with others."""
    rows = await session.execute(_LINKS, {"org_ids": list(org_ids), "limit": limit})
    return [(row.entity, row.org_id) for row in rows]


async def similar(session: AsyncSession, case: Case, org_ids: Sequence[str], *, limit: int) -> Sequence[RiskCase]:
    """Return cases of a case's kind: first those that affect one of the organizations, then those with its result."""
    shares = _affects(org_ids)
    alike = shares if case.result is None else or_(shares, RiskCase.state["result"].astext == case.result.value)
    query = select(RiskCase).where(RiskCase.kind == case.kind.value, RiskCase.id != case.case_id, alike)
    return (await session.scalars(query.order_by(shares.desc(), RiskCase.id.desc()).limit(limit))).all()
