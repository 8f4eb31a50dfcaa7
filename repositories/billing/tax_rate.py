"""Statements about tax rates."""

from collections.abc import Collection

from sqlalchemy import inspect, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.billing.tax.rates import TaxRate
from models.billing.billing_profile import TaxRateRow
from repositories.common.listing import ListFilter, Listing, ListPage


async def of(session: AsyncSession, countries: Collection[str]) -> list[TaxRate]:
    rows = await session.scalars(select(TaxRateRow).where(TaxRateRow.country.in_(sorted(countries))))
    return [rate_of(row) for row in rows]


def rate_of(row: TaxRateRow) -> TaxRate:
    return TaxRate(
        code=row.code,
        country=row.country,
        region=row.region or None,
        product=row.product or None,
        rate_e6=row.rate_e6,
        valid_from=row.valid_from,
        valid_until=row.valid_until,
    )


async def add(session: AsyncSession, row: TaxRateRow) -> bool:
    """Insert a rate; False if the place and product have one from the same time on."""
    values = {column.key: getattr(row, column.key) for column in inspect(TaxRateRow).columns}
    values.pop("created_at")
    statement = insert(TaxRateRow).values(values).on_conflict_do_nothing(constraint="uq_tax_rates_place_valid_from")
    return (await session.execute(statement.returning(TaxRateRow.id))).one_or_none() is not None


_LIST = Listing(of=TaxRateRow, order=[TaxRateRow.id], searched=("code",))


async def page(session: AsyncSession, wanted: ListFilter) -> ListPage[TaxRateRow]:
    """Return a page of the rates, newest first."""
    return await _LIST.page(session, wanted, [()])
