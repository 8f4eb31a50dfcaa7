"""Spend controls, their versions and the counters of their windows. `ledger.controls` writes them."""

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, bindparam, func, or_, select, text, true
from sqlalchemy.dialects.postgresql import ARRAY, UUID as UUIDType
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from domain.common.calendar import Window
from domain.common.errors import NotFound
from domain.common.ids import is_id, uuid_id, uuid_of
from domain.credits.spend.control import ControlKind, ControlStatus, SubjectKind
from domain.credits.spend.presentation import CounterValues
from domain.credits.spend.scope import SpendingKey
from ledger.controls import MISSING
from ledger.spends import FUND_ESCROW, PURCHASE_ORDER, Pool
from models.credits.department import Department
from models.credits.spend import EscrowCount, PurchaseCount, Spend, SpendCounter, SpendRefusal
from models.credits.spend_control import SpendControl, SpendControlVersion
from models.marketplace.agent import Agent
from repositories.common.listing import (
    ID_TIME_MARGIN,
    ListFilter,
    Listing,
    ListPage,
    Part,
    Position,
    in_states,
    of_owner,
)
from repositories.credits.department import parts_of
from repositories.credits.spend import KeyHolder, own_conditions
from repositories.credits.spend_id_range import LAST_ID, SCAN_LIMITS, RangeKind, first_id, next_position, range_filters

#: Rows that count in a control.
Counts = Spend | EscrowCount | PurchaseCount


async def get(session: AsyncSession, control_id: str, kind: ControlKind | None = None) -> SpendControl:
    """Return the control as it is now, of a kind or of any; NotFound when the session sees none."""
    found = None
    if is_id(control_id, "ctl"):
        found = await session.get(SpendControl, uuid_of(control_id), populate_existing=True)
    if found is None or kind not in {None, found.kind}:
        raise missing(kind)
    return found


def missing(kind: ControlKind | None) -> NotFound:
    return NotFound("There is no such budget." if kind is ControlKind.BUDGET else MISSING)


async def of_subject(
    session: AsyncSession, org_id: str, kind: SubjectKind, subject_id: str, asset: str
) -> SpendControl | None:
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
    query = select(SpendControl.id).where(
        SpendControl.org_id == org_id,
        SpendControl.subject_kind == kind.value,
        SpendControl.subject_id == subject_id,
        SpendControl.status != ControlStatus.CLOSED.value,
    )
    return (await session.scalars(query.limit(1))).one_or_none() is not None


_LIST = Listing(of=SpendControl, order=[SpendControl.id], prefix="ctl")
_VERSIONS = Listing(of=SpendControlVersion, order=[SpendControlVersion.version], created="changed_at")
_REFUSALS = Listing(of=SpendRefusal, order=[SpendRefusal.id], created="at", prefix="rfs", amount="amount")


async def page(
    session: AsyncSession, wanted: ListFilter, *, kind: ControlKind, open_only: bool, of: SpendingKey | None = None
) -> ListPage[SpendControl]:
    """Return a page of the controls that the session may see, newest first; with `of`, of those that are a key's own.

    These are the controls of the key and its agent; else of the department of the key with its parts, of its project,
    and of the agents that are attributed to them. Of budgets, also all those above what the key spends for.
    """
    part: Part = (*of_owner(SpendControl.org_id, wanted), SpendControl.kind == kind)
    part = (*part, *(getattr(SpendControl, name) == value for name, value in wanted.equal.items()))
    if open_only:
        part = (*part, SpendControl.status != ControlStatus.CLOSED.value)
    return await _LIST.page(session, wanted, [part], served=wanted.equal, besides=_besides(wanted, of))


async def is_own(session: AsyncSession, control: SpendControl, key: SpendingKey) -> bool:
    """Return whether a control is a key's own; see `page`."""
    query = select(SpendControl.id).where(SpendControl.id == control.id, _own(SpendControl, key))
    return await session.scalar(query) is not None


async def own_among(session: AsyncSession, control_ids: Collection[str], key: SpendingKey) -> frozenset[str]:
    """Return those of the ids, `ctl_…`, that are of a key's own controls; see `page`."""
    if not control_ids:
        return frozenset()
    named = SpendControl.id.in_([uuid_of(each) for each in control_ids])
    found = await session.scalars(select(SpendControl.id).where(named, _own(SpendControl, key)))
    return frozenset(uuid_id("ctl", id_) for id_ in found)


def _besides(wanted: ListFilter, key: SpendingKey | None) -> Callable[[type[SpendControl]], ColumnElement[bool]] | None:
    states = in_states(wanted)
    if key is None:
        return states
    return lambda row: and_(_own(row, key), *(() if states is None else (states(row),)))


def _own(row: type[SpendControl], key: SpendingKey) -> ColumnElement[bool]:
    def of(kind: SubjectKind, ids: Any) -> ColumnElement[bool]:
        return and_(row.subject_kind == kind.value, row.subject_id.in_(ids))

    own = [of(SubjectKind.KEY, [key.key_id]), and_(row.kind == ControlKind.BUDGET, row.id.in_(_above(row.org_id, key)))]
    department_id, project_id = key.attribution.department_id, key.attribution.project_id
    if key.agent_id is not None:
        return or_(*own, of(SubjectKind.AGENT, [key.agent_id]))
    agents = select(Agent.id).where(Agent.org_id == row.org_id)
    if department_id is not None:
        parts = parts_of(row.org_id, department_id)
        own.append(of(SubjectKind.DEPARTMENT, parts))
        agents = agents.where(Agent.department_id.in_(parts))
    if project_id is not None:
        own.append(of(SubjectKind.PROJECT, [project_id]))
        agents = agents.where(Agent.project_id == project_id)
    return or_(*own, of(SubjectKind.AGENT, agents))


def _above(org_id: Any, key: SpendingKey) -> Select[tuple[UUID]]:
    """Return the ids of the controls of a key's attribution, as `ledger.controls_of`; including closed ones."""
    named, own = aliased(SpendControl), key.attribution
    subjects: dict[SubjectKind, Any] = {
        SubjectKind.ORGANIZATION: [org_id],
        SubjectKind.AGENT: [key.agent_id],
        SubjectKind.KEY: [key.key_id],
        SubjectKind.PROJECT: [own.project_id],
        SubjectKind.DEPARTMENT: select(func.unnest(Department.path)).where(Department.id == own.department_id),
    }
    among = (and_(named.subject_kind == kind.value, named.subject_id.in_(ids)) for kind, ids in subjects.items())
    return select(func.unnest(named.path)).where(named.org_id == org_id, or_(*among))


async def versions(session: AsyncSession, wanted: ListFilter, *, control_id: UUID) -> ListPage[SpendControlVersion]:
    """Return a page of the versions of a control, newest first."""
    part = (SpendControlVersion.control_id == control_id,)
    return await _VERSIONS.page(session, wanted, [part])


async def status_before(session: AsyncSession, control: SpendControl) -> ControlStatus | None:
    """Return the status of a control in the version before its newest; None if that is its first."""
    version = SpendControlVersion
    query = select(version.status).where(version.control_id == control.id, version.version == control.version - 1)
    status = await session.scalar(query)
    return None if status is None else ControlStatus(status)


async def lock(session: AsyncSession, control_ids: Collection[UUID]) -> set[UUID]:
    """Lock controls until the transaction ends, and return the ids of those that were locked.

    Controls locked by another transaction are skipped, because waiting for several in any order could deadlock.
    """
    if not control_ids:
        return set()
    query = text("SELECT ledger.lock_controls(:ids)").bindparams(bindparam("ids", list(control_ids), ARRAY(UUIDType)))
    return set(await session.scalars(query))


async def counter_values(
    session: AsyncSession, controls: Sequence[SpendControl], at: datetime
) -> Mapping[UUID, Mapping[Window, CounterValues]]:
    query = select(SpendCounter).where(
        SpendCounter.control_id.in_([control.id for control in controls]),
        SpendCounter.starts_at <= at,
        SpendCounter.ends_at > at,
        SpendCounter.pool != Pool.ALLOWANCE.value,
    )
    found: dict[UUID, dict[Window, CounterValues]] = defaultdict(dict)
    for row in await session.scalars(query.execution_options(populate_existing=True)):
        spent = row.spent + row.forced - row.refunded
        before = found[row.control_id].get(Window(row.window), CounterValues(spent_minor=0, held_minor=0, uses=0))
        found[row.control_id][Window(row.window)] = CounterValues(
            spent_minor=before.spent_minor + spent,
            held_minor=before.held_minor + row.held,
            uses=before.uses + row.uses_spent,
        )
    return found


_COUNTED_IN = """
WITH looked AS MATERIALIZED (
    SELECT r.id, r.at, r.counted_in, r.counted, r.amount, r.agent_id, {columns} FROM {table} r
    WHERE r.org_id = :org_id AND r.id < :before AND r.id >= :first ORDER BY r.id DESC LIMIT {look}
), own AS MATERIALIZED (
    SELECT array_agg(n.id) AS ids FROM ledger.counters n
    WHERE n.control_id = :control_id AND n.id = ANY (ARRAY(SELECT DISTINCT unnest(l.counted_in) FROM looked l))
), found AS (
    SELECT l.id, (
        SELECT u.counted FROM unnest(l.counted_in, l.counted) AS u (id, counted) WHERE u.id = ANY (own.ids) LIMIT 1
    ) AS counted
    FROM looked l, own
    WHERE l.counted_in && own.ids AND l.at >= coalesce(CAST(:since AS timestamptz), '-infinity')
        AND l.at < coalesce(CAST(:until AS timestamptz), 'infinity')
        AND (CAST(:least AS bigint) IS NULL OR l.amount >= :least)
        AND (CAST(:most AS bigint) IS NULL OR l.amount <= :most)
        AND (cardinality(CAST(:statuses AS text[])) = 0 OR l.status = ANY (CAST(:statuses AS text[])))
        AND jsonb_build_object('agent_id', l.agent_id, 'action', l.action, 'run_id', l.run_id) @> CAST(:equal AS jsonb)
    ORDER BY l.id DESC LIMIT :limit
)
SELECT ARRAY(SELECT f.id FROM found f ORDER BY f.id DESC) AS ids,
    ARRAY(SELECT f.counted FROM found f ORDER BY f.id DESC) AS counted,
    (SELECT count(*) FROM looked) AS looked, (SELECT l.id FROM looked l ORDER BY l.id LIMIT 1) AS last_id
"""
# A literal limit. For a parameter the planner would expect a tenth of the table, and read it.
_LOOKING = {
    look: text(_COUNTED_IN.format(columns="r.status, r.action, r.run_id", table="ledger.spends", look=look))
    for look in SCAN_LIMITS
}
_ESCROW_COLUMNS = f"""
    CASE WHEN r.spent + r.returned < r.amount THEN 'reserved' WHEN r.spent > 0 THEN 'captured' ELSE 'released' END
        AS status,
    '{FUND_ESCROW}' AS action, CAST(NULL AS text) AS run_id
"""
_PURCHASE_COLUMNS = f"""
    CASE WHEN r.spent + r.returned < r.amount THEN 'reserved' WHEN r.spent = 0 THEN 'released'
        WHEN r.refunded = r.spent THEN 'refunded' ELSE 'captured' END AS status,
    '{PURCHASE_ORDER}' AS action, CAST(NULL AS text) AS run_id
"""
#: Rows that count other than spends; without id ranges, because they are few.
_BESIDE = (
    text(_COUNTED_IN.format(columns=_ESCROW_COLUMNS, table="ledger.escrow_counts", look=SCAN_LIMITS[-1])),
    text(_COUNTED_IN.format(columns=_PURCHASE_COLUMNS, table="ledger.purchase_counts", look=SCAN_LIMITS[-1])),
)


async def spends(
    session: AsyncSession, wanted: ListFilter, *, control: SpendControl
) -> tuple[Sequence[tuple[Counts, int]], Position | None]:
    """Return a page of what counts in a control, newest first, each with its amount in the control's asset.

    The second value is the position of the next page, None at the end. A page reads a bounded number of spends, escrows
    and purchases, so it may be short or empty without being the last.
    """
    counted: dict[UUID, int] = {}
    before: UUID = LAST_ID if wanted.after is None else wanted.after[0]
    following: UUID | None = before
    begins = control.created_at if wanted.since is None else max(control.created_at, wanted.since - ID_TIME_MARGIN)
    named = [(RangeKind.CONTROL, str(control.id)), *range_filters(wanted.equal)]
    values = {"org_id": control.org_id, "control_id": control.id, "first": first_id(begins)}
    values |= {"since": wanted.since, "until": wanted.until, "equal": json.dumps(wanted.equal)}
    values |= {"least": wanted.least_minor, "most": wanted.most_minor, "statuses": list(wanted.statuses)}
    for look, statement in _LOOKING.items():
        assert following is not None
        following = await next_position(session, control.org_id, named, before=following, until=wanted.until)
        if following is None:
            break
        more = {"before": following, "limit": wanted.limit + 1 - len(counted)}
        row = (await session.execute(statement, values | more)).one()
        counted.update(zip(row.ids, row.counted, strict=True))
        following = row.last_id if row.looked == look else None
        if following is None or len(counted) > wanted.limit:
            break
    if len(counted) > wanted.limit:
        following = list(counted)[wanted.limit - 1]
    ends = [] if following is None else [following]
    for statement in _BESIDE:
        found = (await session.execute(statement, values | {"before": before, "limit": wanted.limit + 1})).one()
        counted.update(zip(found.ids, found.counted, strict=True))
        if found.looked == SCAN_LIMITS[-1]:
            ends.append(found.last_id)
    # All are read down to the latest of their ends.
    shown = [id_ for id_ in sorted(counted, reverse=True) if not ends or id_ >= max(ends)]
    following = shown[wanted.limit - 1] if len(shown) > wanted.limit else max(ends, default=None)
    shown = shown[: wanted.limit]
    by_id: dict[UUID, Counts] = {}
    own = select(Spend).where(Spend.org_id == control.org_id, Spend.id.in_(shown))
    by_id |= {row.id: row for row in await session.scalars(own)}
    if len(by_id) < len(shown):
        escrows = select(EscrowCount).where(EscrowCount.org_id == control.org_id, EscrowCount.id.in_(shown))
        by_id |= {row.id: row for row in await session.scalars(escrows)}
        bought = select(PurchaseCount).where(PurchaseCount.org_id == control.org_id, PurchaseCount.id.in_(shown))
        by_id |= {row.id: row for row in await session.scalars(bought)}
    return [(by_id[id_], counted[id_]) for id_ in shown], None if following is None else (following,)


async def refusals(
    session: AsyncSession, wanted: ListFilter, *, control: SpendControl | None = None, holder: KeyHolder | None
) -> ListPage[SpendRefusal]:
    """Return a page of refusals, newest first: of a control, or of all controls and for lack of credits.

    With `holder`, only its own; a page reads a bounded number of rows, so it may be short without being the last.
    """
    org_id, part = wanted.org_id, of_owner(SpendRefusal.org_id, wanted)
    if control is not None:
        org_id = control.org_id
        part = (SpendRefusal.org_id == org_id, SpendRefusal.control_id == control.id)
    own = None if holder is None else lambda row: and_(true(), *own_conditions(holder, org_id, row))
    return await _REFUSALS.page(session, wanted, [part], besides=own)
