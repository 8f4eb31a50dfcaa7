"""How projects' budgets are divided, and what nights propose and read. Writing needs the platform's role."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.credits.spend.control import ControlKind, ControlStatus, SubjectKind
from domain.returns.allocation import AllocationMode, AllocationStatus
from ledger.invariants import Invariant
from models.credits.spend_control import SpendControl
from models.marketplace.agent import Agent
from models.reputation.reputation import ReputationAgentRow
from models.returns.allocation import Allocation, AllocationSetting
from models.tenants.organization import Organization
from repositories.common.listing import ListFilter, Listing, ListPage
from repositories.common.required import get_required

MISSING = "There is no such allocation."
PREFIX = "alo"


async def setting(session: AsyncSession, project_id: str, *, lock: bool = False) -> AllocationSetting | None:
    """Return how a project's budget is divided; None before it was set. With `lock` until the transaction ends."""
    return await session.get(AllocationSetting, project_id, populate_existing=True, with_for_update=lock or None)


async def put(session: AsyncSession, **values: Any) -> AllocationSetting:
    """Set how a project's budget is divided."""
    made = insert(AllocationSetting).values(values)
    made = made.on_conflict_do_update(index_elements=["project_id"], set_=values)
    query = made.returning(AllocationSetting)
    return (await session.scalars(query, execution_options={"populate_existing": True})).one()


async def due(session: AsyncSession, *, now: datetime, after: str, limit: int) -> Sequence[AllocationSetting]:
    """Return the settings whose night has begun, by project. Closed organizations have none."""
    row = AllocationSetting
    query = select(row).join(Organization, Organization.id == row.org_id)
    query = query.where(row.next_at <= now, row.project_id > after, Organization.status != "closed")
    return (await session.scalars(query.order_by(row.project_id).limit(limit))).all()


async def get(session: AsyncSession, allocation_id: str, *, lock: bool = False) -> Allocation:
    """Return an allocation; with `lock` it is locked until the transaction ends."""
    return await get_required(session, Allocation, allocation_id, PREFIX, MISSING, fresh=True, lock=lock)


async def of_night(session: AsyncSession, project_id: str, night: date) -> Allocation | None:
    query = select(Allocation).where(Allocation.project_id == project_id, Allocation.night == night)
    return (await session.scalars(query)).one_or_none()


async def expire(session: AsyncSession, project_id: str) -> None:
    row = Allocation
    query = update(row).where(row.project_id == project_id, row.status == AllocationStatus.PROPOSED.value)
    await session.execute(query.values(status=AllocationStatus.EXPIRED.value, answer_by=None))


async def add(session: AsyncSession, row: Allocation) -> Allocation:
    session.add(row)
    await session.flush()
    return row


_LIST = Listing(of=Allocation, order=[Allocation.id], prefix=PREFIX)


async def page(session: AsyncSession, wanted: ListFilter) -> ListPage[Allocation]:
    """Return a page of the allocations that the session may see, newest first."""
    part = () if wanted.org_id is None else (Allocation.org_id == wanted.org_id,)
    return await _LIST.page(session, wanted, [part])


async def reinvested_minor(session: AsyncSession, project_id: str, since: date) -> int:
    row = Allocation
    query = select(func.coalesce(func.sum(row.reinvested_minor), 0)).where(
        row.project_id == project_id, row.night >= since, row.status == AllocationStatus.APPLIED.value
    )
    return int((await session.execute(query)).scalar_one())


async def daily_money_of_others(session: AsyncSession, of: AllocationSetting, since: date) -> Sequence[tuple[str, int]]:
    """Return the money of a day of the organization's other projects: the currency, and the amount.

    It is with what a night from a date on reinvests in it, as far as that is proposed or in force.
    """
    row, night = AllocationSetting, Allocation
    added = select(func.coalesce(func.sum(night.reinvested_minor), 0)).where(
        night.project_id == row.project_id,
        night.night >= since,
        night.currency == row.currency,
        or_(night.status == AllocationStatus.PROPOSED.value, night.is_raised),
    )
    query = select(row.currency, row.daily_minor + added.scalar_subquery()).where(
        row.org_id == of.org_id, row.project_id != of.project_id, row.mode != AllocationMode.OFF.value
    )
    return [(currency, int(minor)) for currency, minor in await session.execute(query)]


async def raised_allocation(session: AsyncSession, project_id: str, before: date) -> Allocation | None:
    """Return the allocation of a day before a date by which the project's day is raised still, and lock it."""
    row = Allocation
    query = select(row).where(row.project_id == project_id, row.night < before, row.is_raised)
    # Those before the last one were raised above.
    query = query.order_by(row.night.desc()).limit(1).with_for_update()
    return (await session.scalars(query.execution_options(populate_existing=True))).one_or_none()


async def agents_of(session: AsyncSession, org_id: str, project_id: str, *, limit: int) -> Sequence[str]:
    """Return the ids of a project's agents that are not retired, the first of them."""
    query = select(Agent.id).where(Agent.org_id == org_id, Agent.project_id == project_id, Agent.retired_at.is_(None))
    return (await session.scalars(query.order_by(Agent.id).limit(limit))).all()


async def budgets_of(
    session: AsyncSession, org_id: str, kind: SubjectKind, subject_ids: Collection[str], currency: str
) -> Mapping[str, SpendControl]:
    row = SpendControl
    query = select(row).where(
        row.org_id == org_id,
        row.kind == ControlKind.BUDGET.value,
        row.subject_kind == kind.value,
        row.subject_id.in_(subject_ids),
        row.asset == currency,
        row.status != ControlStatus.CLOSED.value,
    )
    found = await session.scalars(query.execution_options(populate_existing=True))
    return {each.subject_id: each for each in found}


async def reputations(session: AsyncSession, agent_ids: Collection[str]) -> Mapping[str, int]:
    """Return the lower bound of each agent's score as of its last night, in millionths; without a score it is left out.

    Agents with evidence that was voided since are left out, too.
    """
    row = ReputationAgentRow
    query = select(row.agent_id, row.night_low_e6).where(
        row.agent_id.in_(agent_ids), row.night_low_e6.is_not(None), row.stale_at.is_(None)
    )
    return {agent_id: low for agent_id, low in await session.execute(query) if low is not None}


_OPEN_WORK = text("""
SELECT w.agent_id, m.asset, sum(m.minor)::bigint FROM (
    SELECT h.id, h.agent_id, h.currency, h.held, h.held - CASE h.status WHEN 'delivered' THEN least(h.held, coalesce((
        SELECT (m ->> 'amount_minor')::bigint FROM jsonb_array_elements(h.state -> 'terms' -> 'milestones') m
        WHERE m ->> 'name' = h.state -> 'delivery' ->> 'milestone' LIMIT 1
    ), h.held)) ELSE 0 END AS to_do
    FROM (
        SELECT e.*, e.funded_minor - e.released_minor - e.refunded_minor - e.commission_minor AS held FROM escrows e
        -- Literals, by which the planner knows that the index of open escrows has them.
        WHERE e.agent_id = ANY (:agent_ids) AND e.status IN ('funded', 'delivered') AND e.org_id <> :org_id
    ) h
) w CROSS JOIN LATERAL (
    SELECT w.currency AS asset, w.to_do AS minor WHERE NOT (:in_money AND w.currency = 'CREDIT')
    UNION ALL
    SELECT l.paid_asset, div(sum(l.paid - l.costed) * w.to_do, w.held) FROM ledger.accounts a
    JOIN ledger.lots l ON l.account_id = a.id AND l.is_open AND l.paid > l.costed
    WHERE a.path = 'escrow/' || w.id AND a.asset = w.currency AND w.held > 0 AND :in_money AND w.currency = 'CREDIT'
    GROUP BY l.paid_asset
) m
GROUP BY w.agent_id, m.asset ORDER BY w.agent_id, m.asset
""")


async def open_work(
    session: AsyncSession, org_id: str, agent_ids: Collection[str], *, in_money: bool
) -> Sequence[tuple[str, str, int]]:
    """Return what escrows of other organizations hold for each agent's work: the agent, currency and amount.

    What a delivery under review is worth is done, see `domain.escrow.state.Escrow.under_review_minor`. With `in_money`
    credits are what was paid for them.
    """
    asked = {"agent_ids": list(agent_ids), "org_id": org_id, "in_money": in_money}
    return [(agent_id, currency, amount) for agent_id, currency, amount in await session.execute(_OPEN_WORK, asked)]


#: What `verify` proves about these rows.
INVARIANTS = (
    Invariant(
        name="the lines of an allocation add up to its total, and only one that is applied changes budgets, as it says",
        table="public.allocations",
        unit="allocations",
        violations="""
        SELECT a.id || ': total ' || a.total_minor || ', lines ' || l.minor
        FROM public.allocations a CROSS JOIN LATERAL (
            SELECT coalesce(sum((line ->> 'new_minor')::bigint), 0) AS minor FROM jsonb_array_elements(a.lines) line
        ) l WHERE l.minor <> a.total_minor
        UNION ALL
        SELECT a.id || ' is ' || a.status || ', version ' || v.version || ' of ' || v.control_id || ' is another'
        FROM public.allocations a CROSS JOIN LATERAL jsonb_array_elements(a.lines) line
        JOIN ledger.control_versions v ON v.command_id = 'allocation:' || a.id || ':' || (line ->> 'agent_id')
        WHERE a.status <> 'applied' OR (line ->> 'new_minor')::bigint IS DISTINCT FROM
            v.amounts[array_position(v.windows, 'day')] - CASE v.pools_of
                WHEN 'day' THEN coalesce(v.reserve, 0) + coalesce(v.emergency, 0) ELSE 0 END
        """,
    ),
)
