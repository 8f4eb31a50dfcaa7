"""Contracts."""

import json
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

import asyncpg
from sqlalchemy import func, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from domain.common.ids import escrow_id_of
from domain.escrow.contract import ContractStatus
from domain.escrow.state import Milestone
from models.escrow.contract import Contract, ContractParty
from repositories.common.command import add_once
from repositories.common.listing import ListFilter, Listing, ListPage, Part
from repositories.common.required import get_required, require_found
from repositories.tenants import metadata

MISSING = "There is no such contract."
#: How much the clocks of several machines may differ.
_MARGIN = text("interval '1 minute'")


async def add(session: AsyncSession, contract: Contract, asked: Iterable[str]) -> tuple[Contract, bool]:
    """Insert the contract, or return the one that this command made; the second value is whether it is new.

    Args:
        session: of the client or the platform.
        contract: the new row.
        asked: the columns that the request determines; the others come from settings, which may have changed since.
    """
    return await add_once(session, contract, asked)


async def get(session: AsyncSession, contract_id: str) -> Contract:
    """Return the contract; NotFound when there is none, or it is not the session's to see."""
    return await get_required(session, Contract, contract_id, "ctr", MISSING)


async def clients_of(session: AsyncSession, contract_ids: Collection[str]) -> dict[str, str]:
    found = await session.execute(select(Contract.id, Contract.org_id).where(Contract.id.in_(contract_ids)))
    return {row.id: row.org_id for row in found}


async def is_paid_by(session: AsyncSession, payee_org_id: str | None, org_id: str) -> bool:
    query = select(Contract.id).where(Contract.payee_org_id == payee_org_id, Contract.org_id == org_id)
    return await session.scalar(query.limit(1)) is not None


#: With the escrow's id, because a contract's escrow is asked for with it.
_READ = "SELECT c.*, EXISTS (SELECT FROM escrows WHERE id = $2) AS has_escrow FROM contracts c WHERE c.id = $1"
_READ_AS = "SELECT c.*, tenant_escrow($3, $2) IS NOT NULL AS has_escrow FROM tenant_contract($3, $1) c"


async def read(
    pool: "asyncpg.Pool[asyncpg.Record] | asyncpg.Connection", contract_id: str, *, org_id: str | None
) -> tuple[Contract, bool] | None:
    """Return the contract as an organization sees it, and whether it has an escrow, in one round trip.

    Without an organization the platform sees all, and the pool or connection must be of its role.
    """
    asked = (contract_id, escrow_id_of(contract_id))
    row = await (pool.fetchrow(_READ, *asked) if org_id is None else pool.fetchrow(_READ_AS, *asked, org_id))
    if row is None:
        return None
    columns = dict(row)
    if isinstance(columns["milestones"], str):  # the connections of an engine decode JSON by themselves
        columns["milestones"] = json.loads(columns["milestones"])
    has_escrow: bool = columns.pop("has_escrow")
    return Contract(**columns), has_escrow


async def find(session: AsyncSession, contract_id: str) -> Contract | None:
    return await session.get(Contract, contract_id)


def terms_of(contract: Contract) -> dict[str, Any]:
    """Return the terms of a contract's escrow, by the names of `domain.escrow.state.Terms`."""
    return {
        "escrow_id": escrow_id_of(contract.id),
        "contract_id": contract.id,
        "payer_org_id": contract.org_id,
        "payee_org_id": contract.payee_org_id,
        "agent_id": contract.agent_id,
        "currency": contract.currency,
        "amount_minor": contract.price_minor,
        "signatories": tuple(contract.signatories),
        "required_signatures": contract.required_signatures,
        "validation_threshold_e4": contract.validation_threshold_e4,
        "commission_bps": contract.commission_bps,
        "undiscounted_commission_bps": contract.undiscounted_commission_bps,
        "fund_seconds": contract.fund_seconds,
        "deliver_seconds": contract.deliver_seconds,
        "review_seconds": contract.review_seconds,
        "evidence_seconds": contract.evidence_seconds,
        "decision_seconds": contract.decision_seconds,
        "grace_seconds": contract.grace_seconds,
        "dispute_default_share_e4": contract.dispute_default_share_e4,
        "operator_approvals": contract.operator_approvals,
        "milestones": tuple(Milestone(name=m["name"], amount_minor=m["amount_minor"]) for m in contract.milestones),
    }


async def lock(session: AsyncSession, contract_id: str) -> tuple[Contract, datetime]:
    """Lock and return the contract, and the time when it was locked.

    Raises:
        NotFound: there is none that the session's organization is the payee of.
    """
    query = select(Contract).where(Contract.id == contract_id).with_for_update()
    found = require_found(
        (await session.scalars(query.execution_options(populate_existing=True))).one_or_none(), MISSING
    )
    # Read after the lock, because the time of acceptance is when the lock was obtained.
    now: datetime = (await session.execute(select(func.clock_timestamp()))).scalar_one()
    return found, now


async def accept(session: AsyncSession, contract: Contract, *, by: str, at: datetime) -> None:
    """Write the acceptance of a contract that is locked."""
    contract.accepted_by, contract.accepted_at = by, at
    await session.flush()


async def expire(session: AsyncSession, *, limit: int) -> int:
    """Expire contracts that were not accepted in time, oldest first, and return how many; needs a platform session.

    Their events are written too. Contracts that are being accepted are left to the next call. They expire here one
    minute late, so no process with a slower clock shows a contract as acceptable after its event.
    """
    row = Contract
    due = select(row.id).where(row.accept_by.is_not(None), row.accepted_at.is_(None), row.expired_at.is_(None))
    due = due.where(row.accept_by <= func.now() - _MARGIN).order_by(row.accept_by).limit(limit)
    locked = due.with_for_update(key_share=True, skip_locked=True)
    noted = update(row).where(row.id.in_(locked)).values(expired_at=func.now()).returning(row.id)
    return len((await session.scalars(noted.execution_options(synchronize_session=False))).all())


_LIST = Listing(of=Contract, order=[Contract.id], prefix="ctr", amount="price_minor", searched=("title",))


async def page(session: AsyncSession, wanted: ListFilter) -> ListPage[Contract]:
    """Return a page of contracts, newest first.

    `org_id` finds those that it pays, is paid by or signs for; a tenant's session names its own.
    """
    states = [ContractStatus(status) for status in wanted.statuses] if wanted.statuses else [None]
    agent_id, served = wanted.equal.get("agent_id"), ["agent_id"]
    if wanted.org_id is None:
        own = metadata.narrowed(Contract.id, "ctr", None, wanted.written)
        parts: list[Part] = [(*_of_agent(Contract.agent_id, agent_id), *_in_state(state), *own) for state in states]
        return await _LIST.page(session, wanted, parts, served=served)
    whose = (ContractParty.org_id == wanted.org_id, *_of_agent(ContractParty.agent_id, agent_id))
    own = metadata.narrowed(ContractParty.contract_id, "ctr", wanted.org_id, wanted.written)
    parts = [(*whose, *_of_party_in_state(state), *own) for state in states]
    keys = ContractParty.contract_id
    return await _LIST.page(session, wanted, parts, served=served, keys=keys)


def _of_agent(column: InstrumentedAttribute[str], agent_id: object) -> Part:
    return () if agent_id is None else (column == agent_id,)


def _in_state(status: ContractStatus | None) -> Part:
    """Return the condition of a state, as in `domain.escrow.contract.status_of`, written to match the indexes."""
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
