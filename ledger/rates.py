"""What assets cost in others, from a time on: spend controls in money count credits by it."""

from datetime import datetime

import asyncpg

from domain.common.money import CREDIT
from domain.credits.spend.rate import OPERATOR

#: The base of the rate that says what granted credits are worth where they pay a cost.
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
    """Note that so many minor units of one asset cost so many of another from then on; the platform's role only.

    It is too old at `ends_at`, or never. `source` is the host that it was read from; `operator` goes before the others.
    What is the same as before is not noted again, and what the pair has at that very time stays.
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
    """Note what credits cost in an asset, as `set_rate`.

    Spend controls in that asset count with the rate of the time, and refuse when it is too old.
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
