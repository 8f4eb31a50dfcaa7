"""Exchange rates of spend controls, as operators set them: read here, written by `ledger.rates.set_rate`."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Select, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from domain.credits.spend.rate import ExchangeRate, rate_between
from models.credits.spend import SpendRate
from repositories.common.listing import Found, Listing, Position, Wanted, made_within

_ALL = Wanted()


def rate_of(row: SpendRate) -> ExchangeRate:
    """Return the rate of a row that an operator set."""
    assert row.ends_at is not None
    return ExchangeRate(
        base=row.base,
        quote=row.quote,
        rate=rate_between(row.base, row.quote, row.base_minor, row.quote_minor),
        starts_at=row.starts_at,
        ends_at=row.ends_at,
    )


async def in_force(session: AsyncSession, base: str, at: datetime, wanted: Wanted = _ALL) -> Sequence[SpendRate]:
    """Return the rate of each pair with a base that applies at a time, by quote; expired rates are left out."""
    newest = (
        select(SpendRate)
        .where(SpendRate.base == base, SpendRate.starts_at <= at)
        .order_by(SpendRate.quote, SpendRate.starts_at.desc())
        .ext(distinct_on(SpendRate.quote))
    )
    counting = aliased(SpendRate, newest.subquery())
    query = select(counting).where(counting.ends_at > at, *made_within(counting.starts_at, wanted))
    return (await session.scalars(query.order_by(counting.quote))).all()


async def newest(session: AsyncSession, base: str, quote: str, at: datetime) -> SpendRate:
    """Return the latest rate of a pair that begins up to a time; there must be one."""
    return (await session.scalars(_of(base, quote).where(SpendRate.starts_at <= at).limit(1))).one()


async def begins_at(session: AsyncSession, base: str, quote: str, at: datetime) -> bool:
    """Return whether a rate of a pair begins at exactly that time."""
    return await session.get(SpendRate, (base, quote, at)) is not None


_LIST = Listing(of=SpendRate, order=[SpendRate.starts_at], created="starts_at")


async def page(
    session: AsyncSession, wanted: Wanted, *, base: str, after: Position | None, limit: int
) -> Found[SpendRate]:
    """Return a page of the rates of a pair, the last to begin first."""
    part = (SpendRate.base == base, SpendRate.quote == wanted.equal["quote"])
    return await _LIST.page(session, wanted, [part], after=after, limit=limit, served=["quote"])


def _of(base: str, quote: str) -> Select[SpendRate]:
    return (
        select(SpendRate).where(SpendRate.base == base, SpendRate.quote == quote).order_by(SpendRate.starts_at.desc())
    )
