"""Contracts."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from domain.contract import ContractStatus
from domain.errors import NotFound
from domain.ids import is_id
from models.contract import Contract, ContractParty
from repositories.command import add_once
from repositories.listing import Part, newest, newest_keys

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
    session: AsyncSession,
    *,
    agent_id: str | None,
    org_id: str | None,
    status: ContractStatus | None = None,
    before: str | None,
    limit: int,
) -> list[Contract]:
    """List contracts, newest first.

    `org_id` finds those that it pays, is paid by or signs for; a tenant's session names its own.
    """
    position = None if before is None else (before,)
    if org_id is None:
        part = (*_of_agent(Contract.agent_id, agent_id), *_in_state(status))
        query = newest(Contract, [part], [Contract.id], after=position, limit=limit)
    else:
        agent = _of_agent(ContractParty.agent_id, agent_id)
        part = (ContractParty.org_id == org_id, *agent, *_of_party_in_state(status))
        chosen = newest_keys([part], [ContractParty.contract_id], after=position, limit=limit)
        query = select(Contract).join(chosen, Contract.id == chosen.c.contract_id).order_by(Contract.id.desc())
    return list(await session.scalars(query))


def _of_agent(column: InstrumentedAttribute[str], agent_id: str | None) -> Part:
    return () if agent_id is None else (column == agent_id,)


def _in_state(status: ContractStatus | None) -> Part:
    """Return the condition of a state, as `domain.contract.status_of` tells it, in the words of the indexes."""
    waits = (Contract.accept_by.is_not(None), Contract.accepted_at.is_(None))
    match status:
        case None:
            return ()
        case ContractStatus.ACCEPTED:
            return (or_(Contract.accept_by.is_(None), Contract.accepted_at.is_not(None)),)
        case ContractStatus.PROPOSED:
            return (*waits, Contract.accept_by > func.now())
        case ContractStatus.EXPIRED:
            return (*waits, Contract.accept_by <= func.now())


def _of_party_in_state(status: ContractStatus | None) -> Part:
    until = ContractParty.accept_by
    match status:
        case None:
            return ()
        case ContractStatus.ACCEPTED:
            return (until.is_(None),)
        case ContractStatus.PROPOSED:
            return (until > func.now(),)
        case ContractStatus.EXPIRED:
            return (until <= func.now(),)
