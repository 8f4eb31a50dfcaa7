"""Trials of agents, and what they have shown. Writing needs the platform's role."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from ledger.invariants import Invariant
from models.returns.result import ResultRow
from models.returns.trial import Trial
from models.tenants.organization import Organization
from repositories.common.listing import ListFilter, Listing, ListPage

PREFIX = "trl"


async def locked(session: AsyncSession, trial_id: str) -> Trial:
    """Return a trial, and lock it until the transaction ends."""
    return await session.get_one(Trial, trial_id, populate_existing=True, with_for_update=True)


async def due(session: AsyncSession, *, now: datetime, after: str, limit: int) -> Sequence[Trial]:
    """Return trials of which a stage is due, by id. Closed organizations have none."""
    query = select(Trial).join(Organization, Organization.id == Trial.org_id)
    query = query.where(Trial.next_at <= now, Trial.id > after, Organization.status != "closed")
    return (await session.scalars(query.order_by(Trial.id).limit(limit))).all()


async def results(session: AsyncSession, org_id: str, agent_id: str, since: datetime) -> int:
    """Return how many runs and tasks of an agent have accepted results since a time, other than what agents report."""
    row = ResultRow
    query = select(func.count(func.coalesce(row.run_id, row.task_id).distinct())).where(
        row.org_id == org_id, row.recorded_at >= since, row.agent_id == agent_id, row.is_accepted, ~row.is_self_reported
    )
    return int((await session.execute(query)).scalar_one())


_LIST = Listing(of=Trial, order=[Trial.id], prefix=PREFIX)


async def page(session: AsyncSession, wanted: ListFilter) -> ListPage[Trial]:
    """Return a page of the trials that the session may see, newest first."""
    part = () if wanted.org_id is None else (Trial.org_id == wanted.org_id,)
    return await _LIST.page(session, wanted, [part])


#: What `verify` proves about these rows.
INVARIANTS = (
    Invariant(
        name="what trials have paid are the parts of their first stages, and all of them where they are finished",
        table="public.trials",
        unit="trials",
        violations="""
        SELECT t.id || ': paid ' || t.paid_minor || ' in ' || t.paid || ' stages, which are ' || p.minor
        FROM public.trials t CROSS JOIN LATERAL (
            SELECT coalesce(sum(whole + (place <= t.amount_minor - wholes)::integer), 0) AS minor FROM (
                SELECT number, whole, sum(whole) OVER () AS wholes,
                    row_number() OVER (ORDER BY rest DESC, number) AS place
                FROM jsonb_array_elements(t.stages) WITH ORDINALITY AS s (stage, number) CROSS JOIN LATERAL (
                    SELECT div(t.amount_minor::numeric * (stage ->> 'share_bps')::integer, 10000) AS whole,
                        mod(t.amount_minor::numeric * (stage ->> 'share_bps')::integer, 10000) AS rest
                ) r
            ) each WHERE number <= t.paid
        ) p WHERE t.paid_minor <> p.minor OR (t.status = 'finished') <> (t.paid = jsonb_array_length(t.stages))
        """,
    ),
)
