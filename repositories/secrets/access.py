"""The log of access to secrets. `open_secret` alone writes it; the seals need the platform's role."""

from sqlalchemy.ext.asyncio import AsyncSession

from models.secrets.access import SecretAccess
from repositories.common.listing import Found, Listing, Position, Wanted

_LIST = Listing(of=SecretAccess, order=[SecretAccess.number], created="at", searched=("principal", "purpose"))


async def page(
    session: AsyncSession, wanted: Wanted, org_id: str, path: str, *, after: Position | None, limit: int
) -> Found[SecretAccess]:
    """Return a page of the entries of a path of an organization, newest first."""
    part = (SecretAccess.org_id == org_id, SecretAccess.path == path)
    return await _LIST.page(session, wanted, [part], after=after, limit=limit)
