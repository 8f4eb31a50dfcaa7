"""Contracts."""

from sqlalchemy import or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.errors import NotFound
from domain.ids import is_id
from models.contract import Contract

_COLUMNS = tuple(column.key for column in Contract.__table__.columns if column.key != "created_at")


async def add(session: AsyncSession, contract: Contract) -> tuple[Contract, bool]:
    """Insert the contract, or find the one that this command made; the second value tells which."""
    statement = (
        insert(Contract)
        .values({name: getattr(contract, name) for name in _COLUMNS})
        .on_conflict_do_nothing(index_elements=["command_id"])
        .returning(Contract)
    )
    made = (await session.scalars(statement)).one_or_none()
    if made is not None:
        return made, True
    query = select(Contract).where(Contract.command_id == contract.command_id)
    return (await session.scalars(query)).one(), False


async def get(session: AsyncSession, contract_id: str) -> Contract:
    """Return the contract; NotFound when there is none, or it is not the session's to see."""
    found = await session.get(Contract, contract_id) if is_id(contract_id, "ctr") else None
    if found is None:
        raise NotFound("There is no such contract.")
    return found


async def page(
    session: AsyncSession, *, agent_id: str | None, org_id: str | None, before: str | None, limit: int
) -> list[Contract]:
    """List contracts that the session may see, newest first; `org_id` finds those it pays or is paid by."""
    query = select(Contract).order_by(Contract.id.desc()).limit(limit)
    if agent_id is not None:
        query = query.where(Contract.agent_id == agent_id)
    if org_id is not None:
        query = query.where(or_(Contract.org_id == org_id, Contract.payee_org_id == org_id))
    if before is not None:
        query = query.where(Contract.id < before)
    return list(await session.scalars(query))
