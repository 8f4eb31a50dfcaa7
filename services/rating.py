"""What usage costs: by the price of the agent that was used, otherwise by that of the model, at the time of the use."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.errors import Invalid
from domain.marketplace.use import UseTerms
from domain.metering.adapters import ModelCall
from domain.metering.prices import ModelPrice
from domain.usage.call import AgentPrice, Cost, cost_by_agent, cost_by_model, nameless, quantity_of
from models.agent import Agent
from repositories.model_price import PriceBook, Wanted, unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What usage is rated by: the prices of models, the commission on agents' prices, and what uses are sold by."""

    prices: PriceBook
    commission_bps: int
    uses: UseTerms = field(default_factory=UseTerms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One use to be rated.

    Attributes:
        call: the call of a model that it was; None where it was none.
        quantity: how many units of its agent's work it was, as it was reported.
        agent: whose work it was.
        at: when.
    """

    call: ModelCall | None
    quantity: object
    agent: Agent | None
    at: datetime


def price_of(agent: Agent | None) -> AgentPrice | None:
    """Return the price of an agent that is listed by usage."""
    if agent is None or agent.pricing_model != "usage" or agent.price_minor is None or agent.price_currency is None:
        return None
    return AgentPrice(
        agent_id=agent.id,
        creator_org_id=agent.org_id,
        price_minor=agent.price_minor,
        currency=agent.price_currency,
    )


async def rate_uses(session: AsyncSession, rates: Rates, uses: Sequence[Use]) -> list[Cost | Invalid | None]:
    """Rate uses, each at the price of its time: return the cost, None where there is nothing to rate, or the refusal.

    A model that has no price refuses its use: nothing is rated as zero because nobody knows its price.
    """
    wanted = [_wanted(use) if price_of(use.agent) is None else None for use in uses]
    asked = {price for price in wanted if price is not None}
    prices = await rates.prices.prices_of(session, asked) if asked else {}
    found: list[Cost | Invalid | None] = []
    for use, price in zip(uses, wanted, strict=True):
        try:
            found.append(_cost(rates, use, price, prices))
        except Invalid as refusal:
            found.append(refusal)
    return found


def _wanted(use: Use) -> Wanted | None:
    if use.call is None or use.call.model is None:
        return None
    return Wanted(use.call.model, use.call.provider or None, use.at)


def _cost(rates: Rates, use: Use, wanted: Wanted | None, prices: Mapping[Wanted, ModelPrice | None]) -> Cost | None:
    listed = price_of(use.agent)
    if listed is not None:
        return cost_by_agent(quantity_of(use.quantity), listed, rates.commission_bps)
    if use.call is None:
        return None
    if wanted is None:
        raise nameless(use.call)
    price = prices[wanted]
    if price is None:
        raise unknown(wanted)
    return cost_by_model(use.call, price, use.at)
