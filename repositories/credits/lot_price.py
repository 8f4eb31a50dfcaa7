"""The worth of an organization's credits: what was paid for the lots that it would spend next."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

_COST = text("""
SELECT p.credits, p.money, p.is_covered
FROM ledger.price_cost(:org_id, CAST(:minor AS numeric), :asset, :granted, :at) p
""")
_CREDITS = text("SELECT p.money, p.is_covered FROM ledger.price_credits(:org_id, :credits, :asset, :at) p")


@dataclass(frozen=True, slots=True, kw_only=True)
class LotPrice:
    """Credits and what they are worth now, by the lots that would be taken next.

    Attributes:
        credits_minor: minor units of credits.
        money: minor units of `asset`, exact.
        is_covered: whether the organization has these credits.
    """

    credits_minor: int
    money: Fraction
    asset: str
    is_covered: bool

    @property
    def price(self) -> Fraction:
        """Minor units of the asset for a minor unit of credits; 0 for no credits."""
        return self.money / self.credits_minor if self.credits_minor else Fraction(0)


async def for_cost(
    session: AsyncSession, org_id: str, minor: Decimal, asset: str, *, granted_minor: int | None = None, at: datetime
) -> LotPrice | None:
    """Return the credits that would pay a cost now; None without an exchange rate.

    What the organization does not have counts as granted credits. Needs a session of it or of the platform.

    Args:
        session: of the organization or the platform.
        org_id: the organization that pays.
        minor: the cost in minor units of `asset`, with decimals if need be.
        asset: the currency.
        granted_minor: see `ledger.spends.MoneyCost`.
        at: the time.
    """
    values = {"org_id": org_id, "minor": minor, "asset": asset, "granted": granted_minor, "at": at}
    row = (await session.execute(_COST, values)).one()
    if row.credits is None:
        return None
    return LotPrice(credits_minor=row.credits, money=Fraction(row.money), asset=asset, is_covered=row.is_covered)


async def for_credits(
    session: AsyncSession, org_id: str, credits_minor: int, asset: str, *, at: datetime
) -> LotPrice | None:
    """Return what the next credits of an organization are worth; None without an exchange rate.

    What it does not have counts as what a credit costs by the piece. Needs a session of it or of the platform.
    """
    values = {"org_id": org_id, "credits": credits_minor, "asset": asset, "at": at}
    row = (await session.execute(_CREDITS, values)).one()
    if row.money is None:
        return None
    return LotPrice(credits_minor=credits_minor, money=Fraction(row.money), asset=asset, is_covered=row.is_covered)
