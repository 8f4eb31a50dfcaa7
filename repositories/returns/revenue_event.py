"""Statements about revenue events and shares. A trigger writes the events of the ledger."""

from collections.abc import Collection

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.returns.revenue_event import RevenueStatus
from ledger.invariants import Invariant
from models.billing.project import Project
from models.marketplace.agent import Agent
from models.returns.revenue_event import Attribution, RevenueEvent
from repositories.common.listing import ListFilter, Listing, ListPage, Part, of_owner, part_per_value
from repositories.common.required import get_required

MISSING = "There is no such revenue event."
PREFIX = "rvn"


async def get(session: AsyncSession, event_id: str, *, lock: bool = False) -> RevenueEvent:
    """Return a revenue event; with `lock` it is locked until the transaction ends."""
    return await get_required(session, RevenueEvent, event_id, PREFIX, MISSING, fresh=True, lock=lock)


async def of_reference(session: AsyncSession, org_id: str, source: str, reference: str) -> RevenueEvent | None:
    """Lock and return the reported revenue event of a reference, or None."""
    row = RevenueEvent
    query = select(row).where(row.org_id == org_id, row.source == source, row.reference == reference).with_for_update()
    return (await session.scalars(query.execution_options(populate_existing=True))).one_or_none()


async def attributions(session: AsyncSession, events: Collection[RevenueEvent]) -> dict[str, Attribution]:
    """Return the present shares of events with other shares than of their own agent and project."""
    versions = {event.id: event.shares_version for event in events if event.shares_version}
    if not versions:
        return {}
    query = select(Attribution).where(Attribution.event_id.in_(versions))
    found = (await session.scalars(query)).all()
    return {row.event_id: row for row in found if row.version == versions[row.event_id]}


async def projects_of(session: AsyncSession, org_id: str, agent_ids: Collection[str | None]) -> dict[str | None, str]:
    query = select(Agent.id, Agent.project_id).where(
        Agent.org_id == org_id, Agent.id.in_([each for each in agent_ids if each]), Agent.project_id.is_not(None)
    )
    return {row.id: row.project_id for row in await session.execute(query)}


async def own_projects(session: AsyncSession, org_id: str, ids: Collection[str]) -> set[str]:
    return {*await session.scalars(select(Project.id).where(Project.org_id == org_id, Project.id.in_(ids)))}


_LIST = Listing(of=RevenueEvent, order=[RevenueEvent.id], created="occurred_at", amount="amount_minor")


async def page(
    session: AsyncSession, wanted: ListFilter, *, agent_id: str | None = None, project_id: str | None = None
) -> ListPage[RevenueEvent]:
    """Return a page of the revenue events that the session may see, the newest recorded first.

    With an agent or a project, only those in which it has a share. The time of occurrence is not part of the id, so
    rows are tested one by one.
    """
    part: Part = of_owner(RevenueEvent.org_id, wanted)
    waiting = wanted.statuses == (RevenueStatus.REPORTED,)
    parts = [(*part, *state) for state in part_per_value(RevenueEvent.status, wanted.statuses)] if waiting else [part]
    named = {name: value for name, value in (("agent_id", agent_id), ("project_id", project_id)) if value is not None}

    def has_share(row: type[RevenueEvent]) -> ColumnElement[bool]:
        own = and_(row.shares_version == 0, *(getattr(row, name) == value for name, value in named.items()))
        of = Attribution
        shared = select(of).where(
            of.event_id == row.id, of.version == row.shares_version, of.parts.contains([dict(named)])
        )
        return or_(own, shared.exists())

    return await _LIST.page(session, wanted, parts, besides=has_share if named else None)


#: The money paid for credits is a separate amount.
_FACTS = """
    SELECT f.org_id, f.source, f.reference, coalesce(f.sale::text, '') AS sale, a.asset,
        coalesce(sum(a.amount) FILTER (WHERE f.is_sale), 0) AS amount,
        -coalesce(sum(a.amount) FILTER (WHERE NOT f.is_sale), 0) AS reversed, sum(a.commission) AS commission
    FROM ledger.transfers t CROSS JOIN LATERAL public.revenue_of_transfer(t.id, t.kind, t.reference) f
    CROSS JOIN LATERAL (
        SELECT f.asset, f.amount, f.commission UNION ALL
        SELECT 'paid ' || m.key, (m.value ->> 0)::bigint, (m.value ->> 1)::bigint FROM jsonb_each(f.money) m
    ) a
    WHERE t.kind LIKE 'payment.%' OR t.kind IN ('escrow.released', 'escrow.split', 'marketplace.sold',
        'marketplace.used', 'marketplace.refunded', 'earnings.recovered')
    GROUP BY 1, 2, 3, 4, 5
"""
#: Invariants that `verify` checks.
INVARIANTS = (
    Invariant(
        name="revenue of the books equals the entries and lots of the transfers that brought it and took it back",
        table="public.revenue_events",
        unit="revenue events",
        violations=f"""
        SELECT coalesce(r.id, f.org_id || ' ' || f.source || ' ' || f.reference) || ': kept '
            || coalesce(ROW(r.asset, r.amount, r.reversed, r.commission)::text, 'nothing') || ', booked '
            || coalesce(ROW(f.asset, f.amount, f.reversed, f.commission)::text, 'nothing')
        FROM (
            SELECT e.*, a.*, CASE source WHEN 'escrow' THEN transfer_id::text ELSE '' END AS sale
            FROM public.revenue_events e CROSS JOIN LATERAL (
                SELECT e.currency AS asset, e.amount_minor AS amount, e.reversed_minor AS reversed,
                    e.commission_minor AS commission
                UNION ALL
                SELECT 'paid ' || m.key, (m.value ->> 0)::bigint, (m.value ->> 1)::bigint, (m.value ->> 2)::bigint
                FROM jsonb_each(e.money) m
            ) a
            WHERE transfer_id IS NOT NULL
        ) r
        FULL JOIN ({_FACTS}) f ON (f.org_id, f.source, f.reference, f.sale) = (r.org_id, r.source, r.reference, r.sale)
            AND f.asset = r.asset
        WHERE (r.amount, r.reversed, r.commission) IS DISTINCT FROM (f.amount, f.reversed, f.commission)
            OR r.asset = r.currency
            AND r.status <> CASE WHEN f.reversed >= f.amount THEN 'reversed' ELSE 'confirmed' END
        """,
    ),
    Invariant(
        name="the shares of revenue make 10,000 basis points, and each version follows the one before",
        table="public.attributions",
        unit="versions of shares",
        violations="""
        SELECT a.event_id || ' version ' || a.version FROM public.attributions a
        JOIN public.revenue_events r ON r.id = a.event_id
        WHERE a.org_id <> r.org_id OR a.version > r.shares_version
            OR (SELECT sum((p ->> 'bps')::integer) FROM jsonb_array_elements(a.parts) p) <> 10000
        UNION ALL
        SELECT r.id || ' has no version ' || r.shares_version FROM public.revenue_events r
        WHERE r.shares_version > 0
            AND r.shares_version <> (SELECT count(*) FROM public.attributions a WHERE a.event_id = r.id)
        """,
    ),
)
