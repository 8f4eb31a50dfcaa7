"""Contracts."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.errors import NotFound
from domain.ids import is_id
from models.contract import Contract
from repositories.command import add_once

MISSING = "There is no such contract."


async def add(session: AsyncSession, contract: Contract, asked: Iterable[str]) -> tuple[Contract, bool]:
    """Insert the contract, or find the one that this command made; the second value tells which.

    Args:
        session: of the client or the platform.
        contract: the new row.
        asked: the columns that the request settles; the others are from settings, which may have changed since.

    Raises:
        IdempotencyConflict: the command made another one.
    """
    return await add_once(session, contract, asked)


async def get(session: AsyncSession, contract_id: str) -> Contract:
    """Return the contract; NotFound when there is none, or it is not the session's to see."""
    found = await session.get(Contract, contract_id) if is_id(contract_id, "ctr") else None
    if found is None:
        raise NotFound(MISSING)
    return found


async def lock(session: AsyncSession, contract_id: str) -> tuple[Contract, datetime]:
    """Return the contract, which nobody else accepts until the transaction ends, and the time when it was locked.

    Raises:
        NotFound: there is none that the session's organization is the payee of.
    """
    query = select(Contract).where(Contract.id == contract_id).with_for_update()
    found = (await session.scalars(query.execution_options(populate_existing=True))).one_or_none()
    if found is None:
        raise NotFound(MISSING)
    # After the lock: whoever waited for it is judged by the time at which they got it.
    now: datetime = (await session.execute(select(func.clock_timestamp()))).scalar_one()
    return found, now


async def accept(session: AsyncSession, contract: Contract, *, by: str, at: datetime) -> None:
    """Write the acceptance of a contract that is locked."""
    contract.accepted_by, contract.accepted_at = by, at
    await session.flush()


async def page(
    session: AsyncSession, *, agent_id: str | None, org_id: str | None, before: str | None, limit: int
) -> list[Contract]:
    """List contracts that the session may see, newest first; `org_id` finds those it pays, is paid by or signs."""
    query = select(Contract).order_by(Contract.id.desc()).limit(limit)
    if agent_id is not None:
        query = query.where(Contract.agent_id == agent_id)
    if org_id is not None:
        query = query.where(
            or_(
                Contract.org_id == org_id,
                Contract.payee_org_id == org_id,
                Contract.signatory_org_ids.contains([org_id]),
            )
        )
    if before is not None:
        query = query.where(Contract.id < before)
    return list(await session.scalars(query))
