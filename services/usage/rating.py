"""The cost of model calls, at the time of the call. The cost of an agent's use is in `usage_of_agents`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.errors import Invalid
from domain.marketplace.use import UseTerms
from domain.usage.adapters import ModelCall
from domain.usage.call import Cost, cost_by_model, nameless
from domain.usage.prices import ModelPrice
from repositories.usage.model_price import PriceBook, Wanted, unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """The prices that usage is rated by: of models, and of uses of agents."""

    prices: PriceBook
    uses: UseTerms = field(default_factory=UseTerms)


class Use(NamedTuple):
    """One use to be rated: its model call, None if it was none, and its time."""

    call: ModelCall | None
    at: datetime


async def rate_uses(session: AsyncSession, rates: Rates, uses: Sequence[Use]) -> list[Cost | Invalid | None]:
    """Rate uses, each at the price of its time: returns the cost, None if there is nothing to rate, or the refusal.

    The use of a model without a price is refused, and never rated as zero.
    """
    wanted = [_wanted(use) for use in uses]
    asked = {price for price in wanted if price is not None}
    prices = await rates.prices.prices_of(session, asked) if asked else {}
    found: list[Cost | Invalid | None] = []
    for use, price in zip(uses, wanted, strict=True):
        try:
            found.append(_cost(use, price, prices))
        except Invalid as refusal:
            found.append(refusal)
    return found


def _wanted(use: Use) -> Wanted | None:
    if use.call is None or use.call.model is None:
        return None
    return Wanted(use.call.model, use.call.provider or None, use.at)


def _cost(use: Use, wanted: Wanted | None, prices: Mapping[Wanted, ModelPrice | None]) -> Cost | None:
    if use.call is None:
        return None
    if wanted is None:
        raise nameless(use.call)
    price = prices[wanted]
    if price is None:
        raise unknown(wanted)
    return cost_by_model(use.call, price, use.at)
