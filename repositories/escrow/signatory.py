"""SQL of signatories of contracts."""

from sqlalchemy.ext.asyncio import AsyncSession

from models.escrow.signatory import Signatory


async def is_named(session: AsyncSession, org_id: str, principal: str) -> bool:
    """Return whether any contract names the principal as a signatory, ignoring case; needs a platform session."""
    return await session.get(Signatory, (org_id, principal.lower())) is not None
