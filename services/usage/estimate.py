"""Estimates how many credits the cost of a call takes."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.money import CREDIT
from domain.usage.amounts import minor_pico, to_minor
from domain.usage.call import Cost
from repositories.credits import lot_price
from repositories.insight.own_rates import shown_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimated:
    """What a cost takes: `credits_minor`, and the price of one credit that it was converted at, if it was.

    Both are None where there is no exchange rate.
    """

    credits_minor: int | None = None
    priced_at: dict[str, str] | None = None


async def credits_for(
    session: AsyncSession, org_id: str, cost: Cost, *, markup_e6: int, granted_minor: int | None, now: datetime
) -> Estimated:
    """Return the credits that a cost with its markup would take of an organization's lots now.

    Args:
        session: of the organization or the platform.
        org_id: whose lots.
        cost: of one call; a price in credits has no markup.
        markup_e6: what is charged beyond a cost in money, in 10^-6 of it.
        granted_minor: see `ledger.spends.Cost`.
        now: when.
    """
    if cost.currency == CREDIT:
        return Estimated(credits_minor=to_minor(cost.cost_pico, CREDIT))
    minor = Fraction(cost.cost_pico * (10**6 + markup_e6), minor_pico(cost.currency) * 10**6)
    exact = Decimal(minor.numerator) / minor.denominator
    found = await lot_price.for_cost(session, org_id, exact, cost.currency, granted_minor=granted_minor, at=now)
    if found is None:
        return Estimated()
    return Estimated(credits_minor=found.credits_minor, priced_at=shown_of(found))
