"""Organizations."""

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.errors import NotFound
from domain.ids import is_id
from models.organization import Organization

MISSING = "There is no such organization."


async def add(
    session: AsyncSession, *, organization_id: str, name: str, created_by: str, command_id: str
) -> tuple[Organization, bool]:
    """Return the organization of this command and whether it was made just now."""
    statement = (
        insert(Organization)
        .values(id=organization_id, name=name, created_by=created_by, command_id=command_id)
        .on_conflict_do_nothing(index_elements=["command_id"])
        .returning(Organization)
    )
    made = (await session.scalars(statement)).one_or_none()
    if made is not None:
        return made, True
    return (await session.scalars(select(Organization).where(Organization.command_id == command_id))).one(), False


async def get(session: AsyncSession, organization_id: str) -> Organization:
    """Return the organization; NotFound when there is none, or it is not the session's to see."""
    found = await session.get(Organization, organization_id) if is_id(organization_id, "org") else None
    if found is None:
        raise NotFound(MISSING)
    return found


async def page(session: AsyncSession, *, before: str | None, limit: int) -> list[Organization]:
    """List organizations that the session may see, newest first."""
    query = select(Organization).order_by(Organization.id.desc()).limit(limit)
    if before is not None:
        query = query.where(Organization.id < before)
    return list(await session.scalars(query))
