"""The cost of model calls, at the time of the call. The cost of an agent's use is in `usage_of_agents`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.errors import Invalid
from domain.marketplace.use import UseTerms
from domain.usage.adapters import ModelCall
from domain.usage.call import Cost, cost_by_model, unnamed_model_refusal
from domain.usage.prices import ModelPrice
from repositories.usage.model_price import PriceBook, PriceKey, unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """The prices that usage is rated by: of models, and of uses of agents."""

    prices: PriceBook
    uses: UseTerms = field(default_factory=UseTerms)


class UseToRate(NamedTuple):
    """One use to be rated: its model call, None if it was none, and its time."""

    call: ModelCall | None
    at: datetime


async def rate_uses(session: AsyncSession, rates: Rates, uses: Sequence[UseToRate]) -> list[Cost | Invalid | None]:
    """Rate uses, each at the price of its time: returns the cost, None if there is nothing to rate, or the refusal.

    The use of a model without a price is refused, and never rated as zero.
    """
    wanted = [_wanted(use) for use in uses]
    asked = {price for each in wanted for price in each if price is not None}
    prices = await rates.prices.prices_of(session, asked) if asked else {}
    found: list[Cost | Invalid | None] = []
    for use, each in zip(uses, wanted, strict=True):
        try:
            found.append(None if use.call is None else _cost(use.call, use.at, each, prices))
        except Invalid as refusal:
            found.append(refusal)
    return found


def _wanted(use: UseToRate) -> list[PriceKey | None]:
    """Return the prices that a use needs: of its call and of the call's tools. None where no model is named."""
    calls = () if use.call is None else (use.call, *use.call.tools)
    return [None if call.model is None else PriceKey(call.model, call.provider or None, use.at) for call in calls]


def _cost(
    call: ModelCall, at: datetime, wanted: Sequence[PriceKey | None], prices: Mapping[PriceKey, ModelPrice | None]
) -> Cost:
    found = list[ModelPrice]()
    for number, each in enumerate(wanted):
        if each is None:
            raise unnamed_model_refusal(call, is_tool=number > 0)
        price = prices[each]
        if price is None:
            raise unknown(each)
        found.append(price)
    return cost_by_model(call, found, at)
