"""Which spends and totals a key reads: an agent's or a member's key its own, every other key all."""

from collections.abc import Collection

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.access import Actor, Permission
from domain.common.errors import Forbidden
from domain.common.ids import is_id
from domain.credits.spend.scope import SpendingKey
from models.credits.spend import Spend
from repositories.credits import spend as spends, spend_control as controls
from repositories.credits.spend import KeyHolder
from repositories.credits.spend_day import ALL_SPENDS, SpendSubset


def own_holder(actor: Actor, key: SpendingKey) -> KeyHolder | None:
    """Return whose own spends an actor reads; None for one that reads all of the organization."""
    reads_all = actor.may(Permission.READ_AUDIT) or (key.agent_id is not None and actor.may(Permission.READ_BILLING))
    return None if reads_all else KeyHolder(key, actor.principal)


def confined_key(actor: Actor, key: SpendingKey) -> SpendingKey | None:
    """Return the key of an agent, a department or a project, whose totals it reads; None for all totals."""
    own = key.attribution
    if own_holder(actor, key) is None or not (key.agent_id or own.department_id or own.project_id):
        return None
    return key


def own_department(actor: Actor, key: SpendingKey) -> str | None:
    """Return the department that a key is confined to, with its parts; None for keys that see all of them."""
    of = confined_key(actor, key)
    return None if of is None else of.attribution.department_id


def refuse_totals(key: SpendingKey | None) -> None:
    """Refuse totals that are not a key's own, or cannot be narrowed to what is.

    Raises:
        Forbidden: the key reads the totals of its agent, department or project only.
    """
    if key is not None:
        own = key.attribution
        whose = "agent" if key.agent_id else "department" if own.department_id else "project"
        raise Forbidden(f"This key reads the usage and the limits of its {whose} only.")


def subset_of(key: SpendingKey | None) -> SpendSubset:
    """Return the part of an organization's spends whose totals a key of `confined_key` reads.

    Raises:
        Forbidden: days do not name the project that the key is confined to.
    """
    if key is None:
        return ALL_SPENDS
    if key.agent_id is None and key.attribution.project_id is not None:
        refuse_totals(key)
    return SpendSubset(agent_id=key.agent_id, department_id=None if key.agent_id else key.attribution.department_id)


async def spends_of_others(
    session: AsyncSession, actor: Actor, key: SpendingKey, ids: Collection[str]
) -> frozenset[str]:
    of = confined_key(actor, key)
    if of is None:
        return frozenset()
    spent = {each for each in ids if is_id(each, "spd") or is_id(each, "hold")}
    limits = {each for each in ids if is_id(each, "ctl")}
    own = await spends.own_among(session, spent, KeyHolder(key, actor.principal))
    return frozenset(spent | limits) - own - await controls.own_among(session, limits, of)


async def reads_spend(session: AsyncSession, actor: Actor, key: SpendingKey, spend_id: str | None) -> bool:
    """Return whether a key reads what moved for a spend; a key that is not confined also what moved for none."""
    if confined_key(actor, key) is None:
        return True
    return spend_id is not None and not await spends_of_others(session, actor, key, {spend_id})


async def require_readable(session: AsyncSession, actor: Actor, key: SpendingKey, spend_id: str) -> Spend:
    holder = own_holder(actor, key)
    return await (spends.get(session, spend_id) if holder is None else spends.get_own(session, spend_id, holder))
