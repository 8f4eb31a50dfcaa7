"""Creation, categories and retirement of agents."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.access import Actor
from domain.common.errors import AgentListed
from domain.marketplace.offer import OfferStatus, search_words
from domain.messages.events import Event, format_time
from domain.tenants.metadata import OwnMetadata
from models.marketplace.agent import Agent
from models.marketplace.marketplace import MarketplaceOffer
from repositories.marketplace import agent as agents, marketplace
from repositories.messages import event
from repositories.tenants import api_key as keys, audit, metadata, organization as organizations, session as sessions


async def create(session: AsyncSession, actor: Actor, agent: Agent, own: OwnMetadata) -> Agent:
    """Insert an agent with its external id and metadata, or return the one of this command."""
    await organizations.get(session, agent.org_id)
    row, is_new = await agents.add(session, agent)
    if is_new:
        await audit.record(session, actor, "agent.create", row.id, {"name": row.name}, row.org_id)
        await metadata.add(session, row.id, row.org_id, own, row.command_id)
        data = {"agent_id": row.id, "external_id": own.external_id}
        await event.record(session, [Event("agent.created", row.org_id, row.id, data)])
    return row


async def categorise(session: AsyncSession, actor: Actor, agent_id: str, category: str | None) -> Agent:
    """Set or clear the category of an agent, also in its evidence. Needs the platform's session."""
    row = await agents.get(session, agent_id)
    if row.category != category:
        await agents.categorise(session, row, category)
        await audit.record(session, actor, "agent.categorise", row.id, {"category": category}, row.org_id)
    return row


async def retire(session: AsyncSession, actor: Actor, agent_id: str, *, now: datetime) -> Agent:
    """Retire an agent: no new work, no sales; running work continues. Idempotent.

    Its keys, sessions and links end; its organization's members deliver running work. Creating a contract or listing an
    offer takes the agent's lock too. Needs the platform's session.
    """
    # Before the agent, as in everything that issues a key or a link.
    await keys.lock(session, (await agents.get(session, agent_id)).org_id)
    row = await agents.lock(session, agent_id)
    if row.retired_at is not None:
        return row
    row.retired_at, row.retired_by = now, actor.qualified()
    offer = await marketplace.lock_offer(session, agent_id)
    if offer is not None:
        _retire_offer(offer, actor, now)
    await session.flush()
    await session.refresh(row)
    ended = await keys.revoke_of_agent(session, row.org_id, agent_id)
    await sessions.end_of_agent(session, row.org_id, agent_id, actor.qualified())
    await audit.record(session, actor, "agent.retire", row.id, {"name": row.name, "keys": ended}, row.org_id)
    data = {"agent_id": row.id, "external_id": None, "retired_at": format_time(now)}
    await event.record(session, [Event("agent.retired", row.org_id, row.id, data)])
    return row


async def retire_offers(session: AsyncSession, actor: Actor, org_id: str, *, now: datetime) -> None:
    """Retire all offers of an organization. Its agents stay. Needs the platform's session."""
    for offer in await marketplace.lock_listed(session, org_id):
        _retire_offer(offer, actor, now)
    await session.flush()


def _retire_offer(offer: MarketplaceOffer, actor: Actor, now: datetime) -> None:
    offer.status, offer.changed_by, offer.changed_at = OfferStatus.RETIRED.value, actor.qualified(), now


async def rename_offer(session: AsyncSession, agent: Agent) -> None:
    """Update the search words of an agent's offer after a rename; the caller holds the agent's lock."""
    offer = await marketplace.lock_offer(session, agent.id)
    if offer is not None:
        offer.words = search_words(agent.name, offer.summary)
        await session.flush()


async def refuse_listed(session: AsyncSession, agent_id: str) -> None:
    """Refuse to hide an agent that is for sale; the caller holds its lock, which listing an offer takes too."""
    offer = await marketplace.lock_offer(session, agent_id)
    if offer is not None and offer.status == OfferStatus.LISTED.value:
        raise AgentListed("The agent is listed on the marketplace. Retire its offer first.")
