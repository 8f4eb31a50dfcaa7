"""Agents that are bought with credits, of which their creators have nine tenths."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.access import Actor, Role
from domain.credits.lots import Sharing
from domain.marketplace.offer import ExpectedOffer
from ledger.spends import Spender
from models.marketplace.marketplace import MarketplacePurchase
from repositories.marketplace import marketplace
from runtime.identity import new_id
from services.marketplace import marketplace as selling


async def buy(session: AsyncSession, org_id: str, agent_id: str, now: datetime) -> MarketplacePurchase:
    """Have an organization buy an agent that is offered."""
    bought = await selling.buy(
        session,
        Actor(principal="kim", role=Role.OWNER, org_id=org_id),
        (await marketplace.get(session, agent_id)).as_offer(),
        creator_bps=9000,
        spender=Spender(principal="kim"),
        sharing=Sharing(),
        seen=ExpectedOffer(),
        command_id=new_id("cmd"),
        now=now,
    )
    assert bought.purchase is not None
    return bought.purchase
