"""An organization's balance and the lots that have yet to expire, in one round trip."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

_VIEW = "SELECT posted, pending_out, owed, due, amounts, expiries FROM balance_view($1, $2)"


@dataclass(frozen=True, slots=True)
class BalanceRow:
    """An organization's balance in one asset, in minor units.

    Attributes:
        posted: the balance of the account, without expired credits.
        pending_out: the part reserved by holds.
        owed: the organization's debt, which the next incoming amount pays.
        expiring: the first hundred lots that will expire, soonest first: the free amount and the time of each.
    """

    posted: int
    pending_out: int
    owed: int
    expiring: Sequence[tuple[int, datetime]]


async def read(pool: "asyncpg.Pool[asyncpg.Record]", org_id: str, asset: str) -> BalanceRow:
    row = await pool.fetchrow(_VIEW, org_id, asset)
    assert row is not None
    posted, pending_out, owed, due, amounts, expiries = row
    return BalanceRow(
        posted - (due or 0), pending_out, owed or 0, list(zip(amounts or (), expiries or (), strict=True))
    )
