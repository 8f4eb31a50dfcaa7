"""Contracts: awarded by the client or an operator for it, accepted by the payee."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.access import Actor
from domain.common.money import format_amount
from domain.escrow.contract import judge_acceptance
from domain.reputation.levels import Level, refuse_large
from domain.tenants.metadata import OwnMetadata
from models.escrow.contract import Contract
from models.marketplace.pricing import PricingQuote
from repositories.escrow import contract
from repositories.marketplace import agent as agents
from repositories.tenants import audit, metadata, organization as organizations
from services.marketplace import pricing


async def award(
    session: AsyncSession,
    actor: Actor,
    wanted: Contract,
    own: OwnMetadata,
    *,
    asked: Sequence[str],
    level: Level | None,
    quote: PricingQuote | None,
) -> Contract:
    """Insert a contract, or return the one that this command made.

    Args:
        session: of the client or the platform.
        actor: who awards it, and may.
        wanted: the new row.
        own: the client's external id and metadata.
        asked: the columns that the request determines; the others come from settings, which may have changed since.
        level: the agent's, which limits what it may be awarded; None where there are no levels.
        quote: the quote that the contract is made with, locked.
    """
    made = await metadata.begin(session, wanted, asked, own)
    row, is_new = (made, False) if made else await contract.add(session, wanted, asked)
    if is_new:
        await organizations.refuse_stopped(session, row.org_id, row.payee_org_id)
        await agents.refuse_retired(session, row.agent_id)
        refuse_large(level, row.price_minor, row.currency)
        if quote is not None:
            await pricing.use_quote(session, quote, row)
        price = format_amount(row.price_minor, row.currency)
        details = {"agent_id": row.agent_id, "price": price, "currency": row.currency}
        await audit.record(session, actor, "contract.create", row.id, details, row.org_id)
    return row


async def accept(session: AsyncSession, actor: Actor, contract_id: str) -> Contract:
    """Accept a proposed contract for the payee. Idempotent."""
    row, now = await contract.lock(session, contract_id)
    if judge_acceptance(row.accept_by, row.accepted_at, now):
        await organizations.refuse_stopped(session, row.org_id, row.payee_org_id)
        await contract.accept(session, row, by=actor.qualified(), at=now)
        await audit.record(session, actor, "contract.accept", row.id, {"outside_listing": row.outside_listing})
    return row
