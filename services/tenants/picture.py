"""Changes of pictures and logos."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.access import Actor
from domain.tenants.metadata import Precondition
from domain.tenants.picture import Picture
from models.marketplace.agent import Agent
from models.tenants.organization import Organization
from repositories.tenants import picture as pictures
from runtime.identity import new_id
from services.tenants.metadata import ObjectChange, ObjectChangeResult, change


async def set_picture(
    session: AsyncSession, actor: Actor, row: Agent | Organization, picture: Picture | None, *, now: datetime
) -> ObjectChangeResult:
    """Set or remove the picture of an agent or an organization, with an audit entry and an event.

    The same picture again changes nothing. The caller holds the lock of the row in the platform's session.
    """
    is_agent = isinstance(row, Agent)
    org_id = row.org_id if isinstance(row, Agent) else row.id
    sha256 = None if picture is None else picture.sha256
    if picture is None:
        await pictures.remove(session, row.id)
    elif sha256 != row.picture_sha256:
        await pictures.put(session, row.id, org_id, picture, by=actor.qualified(), now=now)
    wanted = ObjectChange(
        noun="agent" if is_agent else "organization",
        object_id=row.id,
        org_id=org_id,
        expected=Precondition(),
        written={},
        columns={"picture" if is_agent else "logo": {"picture_sha256": sha256}},
        command_id=new_id("cmd"),
    )
    return await change(session, actor, wanted, row)
