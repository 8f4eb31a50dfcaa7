"""Departments of an organization, and the attribution of its agents and keys.

Every change holds the lock of the organization's row, so that nothing is attributed to a department that is being
closed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.access import Actor
from domain.common.errors import ApiKeyRevoked, DepartmentExists, DepartmentInUse, Invalid
from domain.credits.spend.scope import Attribution
from models.credits.department import Department
from models.marketplace.agent import Agent
from models.tenants.api_key import ApiKey
from repositories.credits import department as departments
from repositories.marketplace import agent as agents
from repositories.tenants import api_key as keys, audit, organization as organizations
from runtime.identity import new_id

#: The maximum number of levels of departments.
MAX_LEVELS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDepartment:
    """A requested department: of which organization, by which command."""

    org_id: str
    name: str
    parent_id: str | None
    command_id: str


async def create(session: AsyncSession, actor: Actor, wanted: NewDepartment) -> Department:
    """Make a department, or return the one that its command made.

    Raises:
        Invalid: the parent is not an open department of the organization, or there are too many levels.
    """
    await organizations.lock(session, wanted.org_id)
    row = Department(
        id=new_id("dep"),
        org_id=wanted.org_id,
        name=wanted.name,
        parent_id=wanted.parent_id,
        created_by=actor.qualified(),
        command_id=wanted.command_id,
    )
    found = await departments.made_before(session, row)
    if found is not None:
        return found
    if await departments.find_open(session, wanted.org_id, wanted.name) is not None:
        raise DepartmentExists(f"A department named {wanted.name} already exists.")
    above: list[str] = []
    if wanted.parent_id is not None:
        above = (await _open(session, wanted.org_id, wanted.parent_id, "parent_id")).path
        if len(above) >= MAX_LEVELS:
            raise Invalid(f"There can be at most {MAX_LEVELS} levels of departments.", extra={"field": "parent_id"})
    row.path = [*above, row.id]
    made = await departments.add(session, row)
    details = {"name": made.name, "parent_id": made.parent_id}
    await audit.record(session, actor, "department.create", made.id, details, made.org_id)
    return made


async def close(session: AsyncSession, actor: Actor, department_id: str) -> Department:
    """Close a department for good: nothing can be spent for it any more. Idempotent."""
    org_id = (await departments.get(session, department_id)).org_id
    await organizations.lock(session, org_id)
    row = await departments.get(session, department_id)
    if row.closed_at is not None:
        return row
    user = await departments.in_use_by(session, row.id)
    if user is not None:
        raise DepartmentInUse(
            f"{user} still belongs to this department. Close what is below it, attribute its agents and keys to "
            "another department, and revoke keys that have expired.",
            extra={"in_use_by": user},
        )
    await departments.close(session, row.id)
    await audit.record(session, actor, "department.close", row.id, {"name": row.name}, org_id)
    return await departments.get(session, row.id)


async def attribute_agent(session: AsyncSession, actor: Actor, agent_id: str, wanted: Attribution) -> Agent:
    """Set the department and project that an agent spends for.

    Raises:
        Invalid: the agent's organization has no such open department, or no such project.
    """
    org_id = (await agents.get(session, agent_id)).org_id
    await _check(session, org_id, wanted)
    await departments.attribute(session, Agent, agent_id, wanted)
    await audit.record(session, actor, "agent.attribute", agent_id, _shown(wanted), org_id)
    row = await agents.get(session, agent_id)
    await session.refresh(row)
    return row


async def attribute_key(
    session: AsyncSession, actor: Actor, key_id: str, wanted: Attribution
) -> tuple[ApiKey, Sequence[str]]:
    """Set the department and project that all keys of a key's principal spend for; returns their ids.

    The attribution replaces the agent's own. Expired keys are included, because sessions by link spend as them.

    Raises:
        Invalid: as for an agent, or the key is the platform's.
    """
    row = await keys.get(session, key_id)
    if row.org_id is None:
        raise Invalid("A key of the platform belongs to no department or project.")
    if row.revoked_at is not None:
        raise ApiKeyRevoked("The key is revoked.")
    # A key that is issued meanwhile would spend for what this one did before.
    await keys.lock(session, row.org_id)
    await _check(session, row.org_id, wanted)
    attributed = await keys.unrevoked_of(session, row.org_id, row.principal)
    for each in attributed:
        await departments.attribute(session, ApiKey, each, wanted)
        await audit.record(session, actor, "api_key.attribute", each, _shown(wanted), row.org_id)
    await session.refresh(row)
    return row, attributed


async def _check(session: AsyncSession, org_id: str, wanted: Attribution) -> None:
    await organizations.lock(session, org_id)
    if wanted.department_id is not None:
        await _open(session, org_id, wanted.department_id, "department_id")
    if wanted.project_id is not None and not await departments.project_exists(session, org_id, wanted.project_id):
        raise Invalid("The organization has no such project.", extra={"field": "project_id"})


async def _open(session: AsyncSession, org_id: str, department_id: str, field: str) -> Department:
    row = await departments.find(session, department_id, org_id)
    if row is None or row.closed_at is not None:
        raise Invalid("The organization has no such open department.", extra={"field": field})
    return row


def _shown(wanted: Attribution) -> dict[str, object]:
    return {"department_id": wanted.department_id, "project_id": wanted.project_id}
