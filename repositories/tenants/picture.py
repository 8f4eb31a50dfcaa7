"""Pictures of agents and logos of organizations."""

from datetime import datetime

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.tenants.picture import Picture
from models.tenants.picture import PictureRow
from repositories.common.required import require_found


async def get(session: AsyncSession, subject: str) -> PictureRow:
    """Return the picture of an agent or an organization.

    Raises:
        NotFound: it has none, or the session does not see it.
    """
    return require_found(await session.get(PictureRow, subject), "There is no picture.")


async def put(session: AsyncSession, subject: str, org_id: str, picture: Picture, *, by: str, now: datetime) -> None:
    values = {
        "media_type": picture.media_type,
        "content": picture.content,
        "sha256": picture.sha256,
        "set_by": by,
        "set_at": now,
    }
    added = insert(PictureRow).values(subject=subject, org_id=org_id, **values)
    await session.execute(added.on_conflict_do_update(index_elements=["subject"], set_=values))


async def remove(session: AsyncSession, subject: str) -> None:
    await session.execute(delete(PictureRow).where(PictureRow.subject == subject))
