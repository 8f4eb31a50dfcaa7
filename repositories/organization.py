"""Organizations."""

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.errors import NotFound
from domain.ids import is_id
from models.organization import Organization
from models.project import DeploymentEvent
from repositories import metadata
from repositories.command import add_once, other_request, refuse_other
from repositories.listing import Found, Listing, Position, Wanted

MISSING = "There is no such organization."
_ASKED = ("created_by",)


async def add(session: AsyncSession, organization: Organization) -> tuple[Organization, bool]:
    """Insert the organization, or find the one that this command made; the second value tells which.

    Raises:
        IdempotencyConflict: the command made another one.
    """
    found, is_new = await add_once(session, organization, _ASKED)
    # What the name and the tier were at first nobody knows once they have changed.
    if not is_new and not await metadata.has_changed(session, found.id, found.id):
        refuse_other(found, organization, ("name",))
    if found.tier != organization.tier and not await _tier_has_changed(session, found.id):
        raise other_request()
    return found, is_new


async def _tier_has_changed(session: AsyncSession, organization_id: str) -> bool:
    changes = select(DeploymentEvent.number).where(
        DeploymentEvent.org_id == organization_id, DeploymentEvent.kind == "tier_changed"
    )
    return (await session.scalars(changes.limit(1))).one_or_none() is not None


async def get(session: AsyncSession, organization_id: str) -> Organization:
    """Return the organization; NotFound when there is none, or it is not the session's to see."""
    found = await session.get(Organization, organization_id) if is_id(organization_id, "org") else None
    if found is None:
        raise NotFound(MISSING)
    return found


async def exists(session: AsyncSession, organization_id: str) -> bool:
    """Tell whether there is such an organization that the session may see."""
    query = select(Organization.id).where(Organization.id == organization_id)
    return (await session.scalars(query)).one_or_none() is not None


async def lock(session: AsyncSession, organization_id: str) -> Organization:
    """Return the organization as it is now, and let nobody else decide what it may deploy until the transaction ends.

    Rows that refer to it can be written meanwhile.

    Raises:
        NotFound: there is none.
    """
    query = select(Organization).where(Organization.id == organization_id).with_for_update(key_share=True)
    found = (await session.scalars(query.execution_options(populate_existing=True))).one_or_none()
    if found is None:
        raise NotFound(MISSING)
    return found


async def set_tier(session: AsyncSession, organization_id: str, tier: str) -> None:
    """Write the tier; the caller holds the organization's lock."""
    await session.execute(update(Organization).where(Organization.id == organization_id).values(tier=tier))


_LIST = Listing(of=Organization, order=[Organization.id], prefix="org", searched=("name",))


async def page(session: AsyncSession, wanted: Wanted, *, after: Position | None, limit: int) -> Found[Organization]:
    """Return a page of the organizations that the session may see, newest first."""
    part = metadata.narrowed(Organization.id, "org", None, wanted.written)
    return await _LIST.page(session, wanted, [part], after=after, limit=limit)
