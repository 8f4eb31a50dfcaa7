"""Which uses and reservations of credits a key reads: an agent's or a member's key its own, every other key all."""

from sqlalchemy.ext.asyncio import AsyncSession

from domain.access import Actor, Permission
from domain.spend.scope import SpendingKey
from models.spend import Spend
from repositories import spend as spends
from repositories.spend import Holder


def reader(actor: Actor, key: SpendingKey) -> Holder | None:
    """Return whose own spends an actor reads; None for a role that reads all of the organization."""
    return None if actor.may(Permission.READ_AUDIT) else Holder(key, actor.principal)


async def readable(session: AsyncSession, actor: Actor, key: SpendingKey, spend_id: str) -> Spend:
    """Return a use or a reservation that the actor may read.

    Raises:
        NotFound: there is none, or it is not the key's own.
    """
    holder = reader(actor, key)
    return await (spends.get(session, spend_id) if holder is None else spends.get_own(session, spend_id, holder))
