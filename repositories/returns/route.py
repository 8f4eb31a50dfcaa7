"""Routing decisions, what their outcomes add up to, and what routing reads of prices and usage.

Writing needs the platform's role.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.errors import NotFound
from domain.common.ids import is_id
from domain.marketplace.sale import PurchaseStatus
from domain.returns.route import OutcomeSums
from domain.usage.prices import BESIDE_NAME, plain_name
from ledger.invariants import Invariant
from models.marketplace.agent import Agent
from models.marketplace.marketplace import MarketplacePurchase
from models.returns.route import RoutingDecision, RoutingSum
from models.usage.usage import UsageDay, UsageEventRow
from repositories.common.listing import ListFilter, Listing, ListPage, of_owner

PREFIX = "rtd"
MISSING = "There is no such routing decision."
#: The kind of task under which all of a candidate's outcomes are added up.
ALL_KINDS = ""

_LIST = Listing(of=RoutingDecision, order=[RoutingDecision.id], created="decided_at", prefix=PREFIX)


async def get(session: AsyncSession, decision_id: str, *, lock: bool = False) -> RoutingDecision:
    """Return a decision; locked until the transaction ends.

    Raises:
        NotFound: there is none that the session may see.
    """
    row = await _one(session, RoutingDecision.id == decision_id, lock=lock) if is_id(decision_id, PREFIX) else None
    if row is None:
        raise NotFound(MISSING)
    return row


async def lock_named(session: AsyncSession, org_id: str, name: str) -> RoutingDecision | None:
    if not is_id(name, PREFIX):
        return None
    return await _one(session, (RoutingDecision.id == name) & (RoutingDecision.org_id == org_id), lock=True)


async def lock_of_run(session: AsyncSession, org_id: str, run_id: str, task_kind: str) -> Sequence[RoutingDecision]:
    """Return the decisions with a choice of a run and kind of task, one for each agent at most, locked."""
    row = RoutingDecision
    query = select(row).where(
        row.org_id == org_id, row.run_id == run_id, row.task_kind == task_kind, row.choice.is_not(None)
    )
    ordered = query.order_by(row.id).with_for_update().execution_options(populate_existing=True)
    return (await session.scalars(ordered)).all()


async def _one(session: AsyncSession, condition: ColumnElement[bool], *, lock: bool) -> RoutingDecision | None:
    query = select(RoutingDecision).where(condition)
    if lock:
        query = query.with_for_update()
    return (await session.scalars(query.execution_options(populate_existing=True))).one_or_none()


async def add(session: AsyncSession, row: RoutingDecision) -> bool:
    """Insert a decision; False if its agent, or nobody, has one for the same run and kind of task."""
    values = {column.key: getattr(row, column.key) for column in RoutingDecision.__table__.columns}
    made = (
        insert(RoutingDecision)
        .values(values)
        .on_conflict_do_nothing(
            index_elements=["org_id", "run_id", "task_kind", "agent_id"],
            index_where=RoutingDecision.choice.is_not(None),
        )
    )
    return (await session.scalars(made.returning(RoutingDecision.id))).one_or_none() is not None


async def page(session: AsyncSession, wanted: ListFilter) -> ListPage[RoutingDecision]:
    """Return a page of the decisions that the session may see, newest first."""
    part = of_owner(RoutingDecision.org_id, wanted)
    if "agent_id" in wanted.equal:
        part = (*part, RoutingDecision.agent_id == wanted.equal["agent_id"])
    return await _LIST.page(session, wanted, [part], served=("agent_id",))


async def last_of_budget(session: AsyncSession, control_id: UUID) -> RoutingDecision | None:
    """Return the last decision that a budget paced."""
    row = RoutingDecision
    query = select(row).where(row.control_id == control_id).order_by(row.id.desc()).limit(1)
    return (await session.scalars(query)).one_or_none()


async def sums(
    session: AsyncSession, org_id: str, candidates: Collection[str], task_kind: str
) -> Mapping[tuple[str, str], OutcomeSums]:
    """Return what outcomes add up to, by candidate and kind of task: of the kind, and of `ALL_KINDS`."""
    row = RoutingSum
    query = select(row).where(
        row.org_id == org_id, row.candidate.in_(candidates), row.task_kind.in_((task_kind, ALL_KINDS))
    )
    return {
        (each.candidate, each.task_kind): OutcomeSums(
            results=each.results,
            score_e6=each.score_e6,
            costs=each.costs,
            cost_e6=int(each.cost_e6),
            square_e6=int(each.square_e6),
        )
        for each in await session.scalars(query.execution_options(populate_existing=True))
    }


async def add_to_sums(
    session: AsyncSession, org_id: str, candidate: str, kinds: Iterable[str], added: OutcomeSums
) -> None:
    counted = {
        "results": added.results,
        "score_e6": added.score_e6,
        "costs": added.costs,
        "cost_e6": added.cost_e6,
        "square_e6": added.square_e6,
    }
    keys = [{"org_id": org_id, "candidate": candidate, "task_kind": kind} for kind in sorted(kinds)]
    made = insert(RoutingSum).values([key | counted for key in keys])
    sums = {name: getattr(RoutingSum, name) + made.excluded[name] for name in counted}
    await session.execute(made.on_conflict_do_update(index_elements=["org_id", "candidate", "task_kind"], set_=sums))


async def used_models(session: AsyncSession, org_id: str, *, since: date, limit: int) -> Sequence[str]:
    row = UsageDay
    query = select(row.value).where(
        row.org_id == org_id, row.dimension == "model", row.day >= since, row.value != "", row.currency != ""
    )
    ordered = query.group_by(row.value).order_by(func.sum(row.events).desc(), row.value)
    return (await session.scalars(ordered.limit(limit))).all()


async def metered_agents(session: AsyncSession, org_id: str, meter: str, *, limit: int) -> Sequence[str]:
    """Return the agents in an organization's library that are paid by use and have a price for a meter."""
    row = MarketplacePurchase
    query = select(row.agent_id).where(
        row.org_id == org_id, row.status == PurchaseStatus.ACTIVE, row.usage_prices.has_key(meter)
    )
    return (await session.scalars(query.order_by(row.id.desc()).limit(limit))).all()


class AgentTerms(NamedTuple):
    """What an agent costs an organization: its purchase, None without one, and its listed price."""

    agent: Agent
    purchase: MarketplacePurchase | None


async def agent_terms(session: AsyncSession, org_id: str, ids: Collection[str]) -> Mapping[str, AgentTerms]:
    if not ids:
        return {}
    agent, bought = Agent, MarketplacePurchase
    is_bought = (bought.agent_id == agent.id) & (bought.org_id == org_id) & (bought.status == PurchaseStatus.ACTIVE)
    seen = or_(agent.org_id == org_id, agent.visibility == "public", bought.id.is_not(None))
    query = select(agent, bought).outerjoin(bought, is_bought)
    query = query.where(agent.id.in_(ids), seen, agent.retired_at.is_(None)).order_by(agent.id, bought.id)
    return {each.id: AgentTerms(each, purchase) for each, purchase in await session.execute(query)}


def _plain(name: Any) -> ColumnElement[str]:
    """Return what `domain.usage.prices.plain_name` does of a name."""
    return func.regexp_replace(name, BESIDE_NAME, "", "g")


async def costs_of_run(session: AsyncSession, org_id: str, run_id: str, choice: str) -> Mapping[str, int]:
    """Return what the calls of a model, or the uses of an agent, cost in a run, in pico by currency."""
    row = UsageEventRow
    is_choice = _plain(row.model) == plain_name(choice)
    if is_id(choice, "agt"):
        is_choice = (row.rated_by == "agent") & (row.price_ref == choice)
    query = select(row.currency, func.sum(row.cost_pico)).where(
        row.org_id == org_id, row.run_id == run_id, is_choice, row.cost_pico.is_not(None)
    )
    found = await session.execute(query.group_by(row.currency))
    return {currency: int(pico) for currency, pico in found if currency is not None and pico}


async def agents_of_run(session: AsyncSession, org_id: str, run_id: str) -> Collection[str]:
    row = UsageEventRow
    query = select(row.agent_id).where(row.org_id == org_id, row.run_id == run_id, row.agent_id.is_not(None))
    return [each for each in await session.scalars(query.distinct()) if each is not None]


async def has_other_models(session: AsyncSession, org_id: str, run_id: str, model: str) -> bool:
    row = UsageEventRow
    is_one = func.bool_or(_plain(row.model) == plain_name(model))
    query = select(is_one).where(row.org_id == org_id, row.run_id == run_id, row.model.is_not(None))
    return await session.scalar(query) is False


#: What `verify` proves about the sums.
INVARIANTS = (
    Invariant(
        name="routing sums equal the outcomes of the decisions",
        table="public.routing_sums",
        unit="sums",
        violations="""
        SELECT org_id || ' ' || candidate || ' ' || kind
        FROM public.routing_sums k (org_id, candidate, kind, results, score_e6, costs, cost_e6, square_e6)
        FULL JOIN (
            SELECT org_id, choice AS candidate, kind, count(*) AS results, sum(score_e6) AS score_e6,
                count(multiple_e6) AS costs, coalesce(sum(multiple_e6), 0) AS cost_e6,
                coalesce(sum(div(multiple_e6::numeric * multiple_e6, 1000000)), 0) AS square_e6
            FROM public.routing_decisions CROSS JOIN LATERAL (VALUES (task_kind), ('')) AS kinds (kind)
            WHERE outcome_at IS NOT NULL GROUP BY 1, 2, 3
        ) a USING (org_id, candidate, kind)
        WHERE (k.results, k.score_e6, k.costs, k.cost_e6, k.square_e6)
            IS DISTINCT FROM (a.results, a.score_e6, a.costs, a.cost_e6, a.square_e6)
        """,
    ),
)
