"""Agents."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import ColumnElement, and_, exists, func, literal_column, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.errors import AgentRetired, Conflict
from domain.common.text import rfc3339
from domain.marketplace.agent import AgentSort
from domain.reputation.boards import MINIMUMS, Period, bands
from domain.tenants.organization import OrganizationStatus
from models.marketplace.agent import Agent
from models.reputation.reputation import ReputationAgentRow
from models.tenants.organization import Organization
from repositories.common.command import add_once, require_same_request
from repositories.common.listing import ListFilter, Listing, ListPage, Part
from repositories.common.required import get_required, require_found
from repositories.marketplace import marketplace
from repositories.tenants import metadata

MISSING = "There is no such agent."
_ASKED = ("org_id", "created_by")
_CHANGEABLE = (
    "name",
    "description",
    "visibility",
    "pricing_model",
    "price_minor",
    "price_currency",
    "terms",
    "category",
)


async def add(session: AsyncSession, agent: Agent) -> tuple[Agent, bool]:
    found, is_new = await add_once(session, agent, _ASKED)
    # Columns that were changed since cannot be compared with the request any more.
    if not is_new and not await metadata.has_changed(session, found.id, found.org_id):
        require_same_request(found, agent, _CHANGEABLE)
    return found, is_new


async def get(session: AsyncSession, agent_id: str) -> Agent:
    """Return the agent; NotFound if it does not exist or the session may not see it."""
    return await get_required(session, Agent, agent_id, "agt", MISSING)


async def names(session: AsyncSession, agent_ids: Collection[str]) -> dict[str, str]:
    query = select(Agent.id, Agent.name).where(Agent.id.in_(agent_ids))
    return {row.id: row.name for row in await session.execute(query)}


async def by_ids(session: AsyncSession, agent_ids: Collection[str]) -> dict[str, Agent]:
    return {each.id: each for each in await session.scalars(select(Agent).where(Agent.id.in_(agent_ids)))}


@dataclass(frozen=True, slots=True)
class AgentCard:
    """Summary of an agent for buyers: its organization, ratings and settled work.

    `stars_e6` is the mean score in millionths, None without evidence; `ratings` and `jobs_done` count evidence.
    `delivery_seconds` is the median time of delivery. With `can_be_hired` the agent is not retired, and its
    organization neither suspended nor closed.
    """

    organization_name: str
    can_be_hired: bool
    stars_e6: int | None
    ratings: int
    jobs_done: int
    delivery_seconds: int | None
    picture_sha256: str | None


async def agent_cards(session: AsyncSession, agent_ids: Collection[str]) -> dict[str, AgentCard]:
    """Return the cards of agents by their ids, in one statement. Needs the platform's session, or their owner's."""
    scored, author = ReputationAgentRow, Organization
    can_be_hired = and_(Agent.retired_at.is_(None), author.status == OrganizationStatus.ACTIVE)
    counted = (scored.stars_e6, scored.evidence_count, scored.rated, scored.succeeded)
    more = (scored.delivery_seconds, Agent.picture_sha256)
    query = (
        select(Agent.id, author.name, can_be_hired, *counted, *more)
        .join(author, author.id == Agent.org_id)
        .outerjoin(scored, scored.agent_id == Agent.id)
        .where(Agent.id.in_(agent_ids))
    )
    return {
        id_: AgentCard(name, can, stars if evidence else None, rated or 0, succeeded or 0, seconds, picture)
        for id_, name, can, stars, evidence, rated, succeeded, seconds, picture in await session.execute(query)
    }


async def lock(session: AsyncSession, agent_id: str) -> Agent:
    """Lock the agent until the transaction ends, and return it as it is now.

    Raises:
        NotFound: it does not exist.
    """
    query = select(Agent).where(Agent.id == agent_id).with_for_update(key_share=True)
    return require_found(
        (await session.scalars(query.execution_options(populate_existing=True))).one_or_none(), MISSING
    )


async def accepts_granted(session: AsyncSession, agent_id: str) -> bool:
    return bool(await session.scalar(select(Agent.accepts_granted).where(Agent.id == agent_id)))


async def refuse_retired(session: AsyncSession, agent_id: str) -> None:
    """Lock an agent against retirement until the transaction ends. Called before any new work.

    Raises:
        AgentRetired: it is retired.
    """
    retired_at: datetime | None = await session.scalar(select(func.agent_retired_at(agent_id)))
    if retired_at is not None:
        raise retired(retired_at)


def retired(at: datetime) -> Conflict:
    return AgentRetired("The agent was retired, so nothing new can begin with it.", extra={"retired_at": rfc3339(at)})


async def categorise(session: AsyncSession, agent: Agent, category: str | None) -> None:
    """Set or clear the category of an agent, also on leaderboards. Needs the platform's session."""
    agent.category = category
    await session.flush()
    await marketplace.categorise(session, agent.id, category)


_SCORED = ReputationAgentRow
#: Literals, because a plan for any value would not use the partial index.
_HIRABLE, _WITH_JOBS = _SCORED.board == literal_column("'public'"), _SCORED.succeeded > literal_column("0")
#: Filters that all hirable agents pass.
_OF_HIRABLE = (("visibility", "public"), ("retired_at", None))
_RANKED: dict[AgentSort, tuple[Listing[ReputationAgentRow], list[Part]]] = {
    AgentSort.RATING: (
        Listing(of=_SCORED, order=[_SCORED.rank_e6, _SCORED.agent_id], created=None),
        [(_HIRABLE, _SCORED.band == band) for band in bands(Period.ALL, MINIMUMS[0])],
    ),
    AgentSort.JOBS: (
        Listing(of=_SCORED, order=[_SCORED.succeeded, _SCORED.agent_id], created=None),
        [(_HIRABLE, _WITH_JOBS)],
    ),
}
_LIST = Listing(of=Agent, order=[Agent.id], prefix="agt", searched=("name", "description"))


async def page(
    session: AsyncSession,
    wanted: ListFilter,
    *,
    viewer: str | None,
    ids: Sequence[str] | None = None,
    least_stars_e6: int | None = None,
    sort: AgentSort = AgentSort.NEWEST,
) -> ListPage[Agent]:
    """Return a page of agents: those of an organization, or all that the session may see.

    Sorted by rating or jobs, the list has only public hirable agents with ratings or jobs, a position is that number
    and the id, and the session must be the platform's. Otherwise a position is 0 and the id.

    `least_stars_e6` is the minimum mean score, in millionths. `viewer` is the requesting organization, None for the
    platform. It sees its own agents, and public ones of others.
    """
    # Written out, because no plan for any visibility uses the index of the public ones.
    public, org_id = Agent.visibility == literal_column("'public'"), wanted.org_id
    parts: list[Part] = [() if org_id is None else (Agent.org_id == org_id,)]
    if viewer is not None and org_id is None and wanted.written:
        # The metadata of other organizations' agents is not visible to it.
        parts = [(Agent.org_id == viewer,)]
    elif viewer is not None and org_id is None:
        parts = [(Agent.org_id == viewer,), (public,)]
    elif viewer not in {None, org_id}:
        parts = [(Agent.org_id == org_id, public)]
    if wanted.written:
        owner = viewer or org_id
        parts = [(*part, *metadata.narrowed(Agent.id, "agt", owner, wanted.written)) for part in parts]
    if ids is not None:
        parts = [(*part, Agent.id.in_(ids)) for part in parts]
    if sort is not AgentSort.NEWEST:
        equal = {name: value for name, value in wanted.equal.items() if (name, value) not in _OF_HIRABLE}
        fitting = _LIST.judged(replace(wanted, equal=equal), frozenset(), Agent)
        if org_id is not None or wanted.written or ids is not None:
            fitting.append(or_(*(and_(true(), *part) for part in parts)))
        return await _ranked(session, ListFilter(after=wanted.after, limit=wanted.limit), sort, fitting, least_stars_e6)
    found = await _LIST.page(
        session,
        replace(wanted, after=wanted.after and wanted.after[1:]),
        parts,
        besides=None if least_stars_e6 is None else lambda row: marketplace.stars_of(row.id) >= least_stars_e6,
    )
    return ListPage(found.rows, found.following and (0, *found.following))


async def _ranked(
    session: AsyncSession,
    wanted: ListFilter,
    sort: AgentSort,
    fitting: Sequence[ColumnElement[bool]],
    least_stars_e6: int | None,
) -> ListPage[Agent]:
    """Return a page of the agents that fulfil the conditions, highest rank first."""

    def fits(row: type[ReputationAgentRow]) -> ColumnElement[bool]:
        of_agent = exists().where(Agent.id == row.agent_id, *fitting) if fitting else true()
        return and_(of_agent, row.stars_e6 >= (least_stars_e6 or 0))

    listing, parts = _RANKED[sort]
    besides = None if not fitting and least_stars_e6 is None else fits
    found = await listing.page(session, wanted, parts, besides=besides)
    ids = [row.agent_id for row in found.rows]
    shown = {row.id: row for row in await session.scalars(select(Agent).where(Agent.id.in_(ids)))}
    return ListPage([shown[each] for each in ids if each in shown], found.following)
