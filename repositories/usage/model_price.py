"""Prices of LLM models: written by imports, read by the time of the call, cached in memory until the next import."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, insert, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.errors import Invalid, UsageModelUnknown
from domain.usage.prices import ModelPrice, is_served_by, names_of, prices_from_json, prices_to_json
from models.usage.model_price import ModelPriceImport, ModelPriceRow

#: The lock by which imports wait for each other.
_IMPORTING = func.pg_advisory_xact_lock(func.hashtextextended("import-model-prices", 0))


class PriceKey(NamedTuple):
    """A price to look up: the model, its provider (None: `model` is the key in the list), and the time."""

    model: str
    provider: str | None
    at: datetime


class PriceBook:
    """Prices by model and time; a cache of the process that is valid until another import is committed.

    Each call reads the number of the newest import from the database, and the prices of models that are not cached. So
    no process uses a price that an import has replaced before the call.
    """

    def __init__(self, default: ModelPrice | None = None) -> None:
        """Start with an empty cache; `default` is the price of models that no list has, None refuses them."""
        self._default = default
        self._number = 0
        self._kept: dict[str, tuple[ModelPrice, ...]] = {}

    async def price_of(self, session: AsyncSession, *, model: str, provider: str | None, at: datetime) -> ModelPrice:
        wanted = PriceKey(model, provider, at)
        found = (await self.prices_of(session, [wanted]))[wanted]
        if found is None:
            raise unknown(wanted)
        return found

    async def prices_of(self, session: AsyncSession, wanted: Collection[PriceKey]) -> dict[PriceKey, ModelPrice | None]:
        """Return the prices in force at their times, the default price, or None, by two queries at most."""
        number = await session.scalar(select(func.coalesce(func.max(ModelPriceImport.number), 0)))
        if number != self._number:
            self._kept, self._number = {}, number or 0
        places = {served: names_of(*served) for served in {(each.model, each.provider) for each in wanted}}
        names = {name for found in places.values() for name, _ in found}
        kept = self._kept
        known = {name: kept[name] for name in names if name in kept}
        # Unknown models are not cached: their names come from clients, and could fill the memory.
        read = await _read(session, names - set(known))
        kept |= read
        known |= read
        return {each: self._in_force(known, places[each.model, each.provider], each) for each in wanted}

    def _in_force(
        self, known: Mapping[str, Sequence[ModelPrice]], places: Sequence[tuple[str, str | None]], wanted: PriceKey
    ) -> ModelPrice | None:
        for name, by in places:
            for price in reversed(known.get(name, ())):
                if price.valid_from <= wanted.at:
                    if by is None or is_served_by(price.provider, by):
                        return price
                    break
        return None if self._default is None else replace(self._default, model=wanted.model)


def unknown(wanted: PriceKey) -> Invalid:
    served = f" of {wanted.provider}" if wanted.provider else ""
    return UsageModelUnknown(
        f"There is no price for the model {wanted.model[:200]!r}{served} at {wanted.at:%Y-%m-%d %H:%M} UTC. "
        "Correct its name, or have the operator import a price list that has it.",
        extra={"model": wanted.model[:200], "provider": wanted.provider},
    )


async def lock_imports(session: AsyncSession) -> None:
    """Lock imports until the transaction ends."""
    await session.execute(select(_IMPORTING))


async def in_force(session: AsyncSession, at: datetime) -> dict[str, ModelPrice]:
    rows = await session.scalars(
        select(ModelPriceRow)
        .ext(distinct_on(ModelPriceRow.model))
        .where(ModelPriceRow.valid_from <= at)
        .order_by(ModelPriceRow.model, ModelPriceRow.valid_from.desc())
    )
    return {row.model: _price(row) for row in rows}


async def add(
    session: AsyncSession,
    prices: Iterable[ModelPrice],
    *,
    version: str,
    sha256: str,
    valid_from: datetime,
    entries: int,
) -> int:
    rows = [
        {
            "model": price.model,
            "valid_from": price.valid_from,
            "provider": price.provider,
            "currency": price.currency,
            "version": price.version,
            "prices": prices_to_json(price),
        }
        for price in prices
    ]
    number: int = (
        await session.scalars(
            insert(ModelPriceImport)
            .values(version=version, sha256=sha256, valid_from=valid_from, entries=entries, prices=len(rows))
            .returning(ModelPriceImport.number)
        )
    ).one()
    await session.execute(insert(ModelPriceRow), [row | {"import_number": number} for row in rows])
    return number


async def _read(session: AsyncSession, models: Collection[str]) -> dict[str, tuple[ModelPrice, ...]]:
    if not models:
        return {}
    rows = await session.scalars(
        select(ModelPriceRow).where(ModelPriceRow.model.in_(models)).order_by(ModelPriceRow.valid_from)
    )
    read = dict[str, tuple[ModelPrice, ...]]()
    for row in rows:
        read[row.model] = (*read.get(row.model, ()), _price(row))
    return read


def _price(row: ModelPriceRow) -> ModelPrice:
    return prices_from_json(
        row.prices,
        model=row.model,
        provider=row.provider,
        currency=row.currency,
        version=row.version,
        valid_from=row.valid_from,
    )
