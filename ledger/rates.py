"""Exchange rates between assets, by which spend controls in money count credits."""

from datetime import datetime

import asyncpg

from domain.common.money import CREDIT
from domain.credits.spend.rate import OPERATOR

#: The base of the rate at which granted credits pay.
GRANTED = "GRANTED"
_SET_RATE = "SELECT ledger.set_rate($1, $2, $3, $4, $5, $6, $7)"


async def set_rate(
    connection: asyncpg.Connection,
    *,
    base: str,
    quote: str,
    base_minor: int,
    quote_minor: int,
    starts_at: datetime,
    ends_at: datetime | None = None,
    source: str = OPERATOR,
) -> None:
    """Store a rate: `base_minor` of one asset cost `quote_minor` of another from a time on; the platform's role only.

    It expires at `ends_at`, or never. `source` is the host that it was read from; `operator` takes precedence. An
    unchanged rate is not stored again, and an existing rate from exactly that time stays.
    """
    await connection.execute(_SET_RATE, base, quote, base_minor, quote_minor, starts_at, ends_at, source)


async def set_credit_rate(
    connection: asyncpg.Connection,
    *,
    asset: str,
    credit_minor: int,
    asset_minor: int,
    starts_at: datetime,
    ends_at: datetime | None = None,
    source: str = OPERATOR,
) -> None:
    """Store the price of credits in an asset, as `set_rate`.

    Spend controls in that asset count with the rate in force, and refuse spends if it has expired.
    """
    await set_rate(
        connection,
        base=CREDIT,
        quote=asset,
        base_minor=credit_minor,
        quote_minor=asset_minor,
        starts_at=starts_at,
        ends_at=ends_at,
        source=source,
    )
