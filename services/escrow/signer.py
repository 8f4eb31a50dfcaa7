"""Whether somebody may sign beside those who have signed for a delivery."""

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.access import Actor
from domain.escrow.signing import refuse_same_people
from domain.escrow.state import Escrow
from repositories.escrow import signer


async def refuse_same_person(session: AsyncSession, held: Escrow, actor: Actor) -> None:
    """Refuse a second signature of one person, with a key that it issued in another's name.

    Needs the platform's session.

    Raises:
        AlreadySigned: the person may have signed.
    """
    if held.signatures:
        people = await signer.people(session, actor)
        refuse_same_people(held, actor, people, await signer.signed(session, held.terms.escrow_id))
