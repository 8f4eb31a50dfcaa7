"""Exchange rates of spend controls, set by operators or read: read here, written by `ledger.rates.set_rate`."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Select, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from domain.credits.spend.rate import MAX_VALID_FOR, OPERATOR, ExchangeRate, rate_between
from models.credits.spend import SpendRate
from repositories.common.listing import ListFilter, Listing, ListPage, created_within

_ALL = ListFilter()
#: No rate counts longer than this after it began: a month, and what a file's day and a time zone add to it.
_LONGEST = MAX_VALID_FOR + timedelta(days=3)


def rate_of(row: SpendRate) -> ExchangeRate:
    assert row.ends_at is not None
    return ExchangeRate(
        base=row.base,
        quote=row.quote,
        rate=rate_between(row.base, row.quote, row.base_minor, row.quote_minor),
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        source=row.source,
    )


async def newest_of_each(session: AsyncSession, base: str, at: datetime) -> Sequence[SpendRate]:
    """Return what operators set last and what was read last for each pair with a base, without what is too old."""
    return (await session.scalars(_newest(base, at))).all()


async def in_force(session: AsyncSession, base: str, at: datetime, wanted: ListFilter = _ALL) -> Sequence[SpendRate]:
    """Return the rate of each pair with a base that applies at a time, by quote, as `ledger.rate_at`.

    Pairs without a rate, or with one that is too old, are left out.
    """
    newest = aliased(SpendRate, _newest(base, at).subquery())
    first = select(newest).order_by(newest.quote, newest.source != OPERATOR).ext(distinct_on(newest.quote))
    counting = aliased(SpendRate, first.subquery())
    query = select(counting).where(*created_within(counting.starts_at, wanted)).order_by(counting.quote)
    return (await session.scalars(query)).all()


def _newest(base: str, at: datetime) -> Select[SpendRate]:
    is_read = SpendRate.source != OPERATOR
    found = (
        select(SpendRate)
        .where(SpendRate.base == base, SpendRate.starts_at <= at, SpendRate.starts_at > at - _LONGEST)
        .order_by(SpendRate.quote, is_read, SpendRate.starts_at.desc())
        .ext(distinct_on(SpendRate.quote, is_read))
    )
    counting = aliased(SpendRate, found.subquery())
    return select(counting).where(counting.ends_at > at)


async def newest(session: AsyncSession, base: str, quote: str, at: datetime) -> SpendRate:
    """Return the latest rate of a pair that was set and begins up to a time; there must be one."""
    query = _of(base, quote).where(SpendRate.starts_at <= at, SpendRate.source == OPERATOR)
    return (await session.scalars(query.limit(1))).one()


async def begins_at(session: AsyncSession, base: str, quote: str, at: datetime) -> bool:
    """Return whether a rate of a pair that was set begins at exactly that time."""
    return await session.get(SpendRate, (base, quote, at, OPERATOR)) is not None


_LIST = Listing(of=SpendRate, order=[SpendRate.starts_at, SpendRate.source], created="starts_at")


async def page(session: AsyncSession, wanted: ListFilter, *, base: str) -> ListPage[SpendRate]:
    """Return a page of the rates of a pair, the last to begin first."""
    part = (SpendRate.base == base, SpendRate.quote == wanted.equal["quote"])
    return await _LIST.page(session, wanted, [part], served=["quote"])


def _of(base: str, quote: str) -> Select[SpendRate]:
    return (
        select(SpendRate).where(SpendRate.base == base, SpendRate.quote == quote).order_by(SpendRate.starts_at.desc())
    )
