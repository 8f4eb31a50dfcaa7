"""Departments, and what agents and keys are attributed to. Whoever writes holds the lock of `organization.lock`."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Select, func, select, union_all, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from domain.credits.spend.scope import Attribution, RequestedScope, ScopeObjects, SpendingKey
from models.billing.project import Project
from models.credits.department import Department
from models.credits.spend import Spend, SpendRefusal
from models.marketplace.agent import Agent
from models.tenants.api_key import ApiKey
from models.usage.usage import UsageEventRow
from repositories.common import command
from repositories.common.listing import ListFilter, Listing, ListPage, Part, of_owner
from repositories.common.required import get_required

MISSING = "There is no such department."
_ASKED = ("org_id", "name", "parent_id", "created_by")


async def made_before(session: AsyncSession, wanted: Department) -> Department | None:
    return await command.existing_row(session, wanted, _ASKED)


async def add(session: AsyncSession, department: Department) -> Department:
    session.add(department)
    await session.flush()
    await session.refresh(department)
    return department


async def find(session: AsyncSession, department_id: str, org_id: str) -> Department | None:
    query = select(Department).where(Department.id == department_id, Department.org_id == org_id)
    return (await session.scalars(query.execution_options(populate_existing=True))).one_or_none()


async def get(session: AsyncSession, department_id: str) -> Department:
    """Return the department as it is now; NotFound when there is none, or it is not the session's to see."""
    return await get_required(session, Department, department_id, "dep", MISSING, fresh=True)


async def find_open(session: AsyncSession, org_id: str, name: str) -> Department | None:
    """Return the organization's open department of that name, whatever its case."""
    same = func.lower(Department.name) == func.lower(name)
    query = select(Department).where(Department.org_id == org_id, same, Department.closed_at.is_(None))
    return (await session.scalars(query)).one_or_none()


def parts_of(org_id: str | InstrumentedAttribute[str] | None, department_id: str) -> Select[str]:
    return select(Department.id).where(Department.org_id == org_id, Department.path.contains([department_id]))


async def ids_of_parts(session: AsyncSession, org_id: str | None, department_id: str) -> Sequence[str]:
    return (await session.scalars(parts_of(org_id, department_id))).all()


def within(
    row: type[Spend] | type[SpendRefusal] | type[UsageEventRow] | type[Agent],
    org_id: str | None,
    attribution: Attribution,
) -> list[ColumnElement[bool]]:
    """Return the conditions that a row is of a department, with its parts, and of a project; none without either."""
    found = list[ColumnElement[bool]]()
    if attribution.department_id is not None:
        found.append(row.department_id.in_(parts_of(org_id, attribution.department_id)))
    if attribution.project_id is not None:
        found.append(row.project_id == attribution.project_id)
    return found


async def has_agent(session: AsyncSession, agent: Agent, attribution: Attribution) -> bool:
    query = select(Agent.id).where(Agent.id == agent.id, *within(Agent, agent.org_id, attribution))
    return await session.scalar(query) is not None


_LIST = Listing(of=Department, order=[Department.id], prefix="dep", searched=("name",))


async def page(
    session: AsyncSession, wanted: ListFilter, *, open_only: bool, within: str | None = None
) -> ListPage[Department]:
    """Return a page of the departments that the session may see, newest first; `within` is one, with its parts."""
    part: Part = of_owner(Department.org_id, wanted)
    if open_only:
        part = (*part, Department.closed_at.is_(None))
    if within is not None:
        part = (*part, Department.path.contains([within]))
    return await _LIST.page(session, wanted, [part])


async def in_use_by(session: AsyncSession, department_id: str) -> str | None:
    """Return the id of an open sub-department, an agent or a key of the department; None if there is none.

    An expired key counts until it is revoked, because a session by link spends as that key.
    """
    parts = select(Department.id).where(Department.parent_id == department_id, Department.closed_at.is_(None))
    agents = select(Agent.id).where(Agent.department_id == department_id)
    keys = select(ApiKey.id).where(ApiKey.department_id == department_id, ApiKey.revoked_at.is_(None))
    found: str | None = await session.scalar(union_all(parts, agents, keys).limit(1))
    return found


async def close(session: AsyncSession, department_id: str) -> None:
    """Mark a department as closed, unless it is."""
    open_one = update(Department).where(Department.id == department_id, Department.closed_at.is_(None))
    await session.execute(open_one.values(closed_at=func.now()))


async def attribute(session: AsyncSession, to: type[Agent] | type[ApiKey], id_: str, attribution: Attribution) -> None:
    await session.execute(
        update(to)
        .where(to.id == id_)
        .values(department_id=attribution.department_id, project_id=attribution.project_id)
        .execution_options(synchronize_session=False)
    )


async def project_exists(session: AsyncSession, org_id: str, project_id: str) -> bool:
    query = select(Project.id).where(Project.org_id == org_id, Project.id == project_id)
    return (await session.scalars(query)).one_or_none() is not None


async def find_scope_objects(
    session: AsyncSession, org_id: str, key: SpendingKey, asked: RequestedScope
) -> ScopeObjects:
    """Look up the objects of a request and of its key's attribution, for `domain.credits.spend.scope.scope_of`."""
    agents: dict[str, Attribution] = {}
    if asked.agent_id is not None:
        of_agent = select(Agent.department_id, Agent.project_id)
        row = (await session.execute(of_agent.where(Agent.id == asked.agent_id, Agent.org_id == org_id))).one_or_none()
        if row is not None:
            agents[asked.agent_id] = Attribution(department_id=row.department_id, project_id=row.project_id)
    departments = {asked.department_id, key.attribution.department_id, *(a.department_id for a in agents.values())}
    paths = select(Department.id, Department.path).where(
        Department.id.in_([id_ for id_ in departments if id_ is not None]),
        Department.org_id == org_id,
        Department.closed_at.is_(None),
    )
    has_project = asked.project_id is not None and await project_exists(session, org_id, asked.project_id)
    return ScopeObjects(
        agents=agents,
        departments={row.id: row.path for row in await session.execute(paths)},
        projects=frozenset({asked.project_id} if has_project and asked.project_id else ()),
    )
