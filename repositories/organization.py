"""Organizations."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.errors import NotFound
from domain.ids import is_id
from models.organization import Organization
from repositories.command import add_once

MISSING = "There is no such organization."
_ASKED = ("name", "created_by")


async def add(session: AsyncSession, organization: Organization) -> tuple[Organization, bool]:
    """Insert the organization, or find the one that this command made; the second value tells which.

    Raises:
        IdempotencyConflict: the command made another one.
    """
    return await add_once(session, organization, _ASKED)


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
