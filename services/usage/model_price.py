"""Imports a price list: new and changed prices apply from a given time on; earlier calls keep their cost."""

from dataclasses import dataclass, replace

from sqlalchemy.ext.asyncio import AsyncSession

from domain.usage.price_map import PriceMap
from domain.usage.prices import ModelPrice
from repositories.usage import model_price as prices


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportResult:
    """What an import did.

    Attributes:
        added: models that had no price at that time.
        changed: models whose price changes then.
        unchanged: models that cost the same.
        conflicts: models that have another price from the very same moment on, which stays: prices are not rewritten.
        gone: models that have a price and are not in the list any more; their price stays.
    """

    added: int
    changed: int
    unchanged: int
    conflicts: tuple[str, ...]
    gone: int


async def import_prices(session: AsyncSession, found: PriceMap, *, sha256: str) -> ImportResult:
    """Add the prices of a list that differ from those in force when the list becomes valid. Idempotent."""
    await prices.lock_imports(session)
    standing = await prices.in_force(session, found.valid_from)
    fresh, conflicts = list[ModelPrice](), list[str]()
    unchanged = 0
    for price in found.prices:
        before = standing.get(price.model)
        if before is not None and _same(before, price):
            unchanged += 1
        elif before is not None and before.valid_from == price.valid_from:
            conflicts.append(price.model)
        else:
            fresh.append(price)
    if fresh:
        await prices.add(
            session, fresh, version=found.version, sha256=sha256, valid_from=found.valid_from, entries=found.entries
        )
    changed = sum(price.model in standing for price in fresh)
    return ImportResult(
        added=len(fresh) - changed,
        changed=changed,
        unchanged=unchanged,
        conflicts=tuple(conflicts),
        gone=len(set(standing) - {price.model for price in found.prices}),
    )


def _same(one: ModelPrice, other: ModelPrice) -> bool:
    return replace(one, version=other.version, valid_from=other.valid_from) == other
