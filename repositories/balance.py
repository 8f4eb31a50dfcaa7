"""An organization's balance and the lots that have yet to expire, in one round trip."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

_VIEW = "SELECT posted, pending_out, owed, due, amounts, expiries FROM balance_view($1, $2)"


@dataclass(frozen=True, slots=True)
class BalanceRow:
    """What an organization has in one asset, in minor units.

    Attributes:
        posted: what is in the account, without what is due.
        pending_out: what holds set aside of it.
        owed: what the organization owes; the next money that comes in pays it.
        expiring: what is free of the first hundred lots that have yet to expire, and when each does, soonest first.
    """

    posted: int
    pending_out: int
    owed: int
    expiring: Sequence[tuple[int, datetime]]


async def read(pool: "asyncpg.Pool[asyncpg.Record]", org_id: str, asset: str) -> BalanceRow:
    """Read the balance as the organization itself sees it; zeros when it has no account."""
    row = await pool.fetchrow(_VIEW, org_id, asset)
    assert row is not None
    posted, pending_out, owed, due, amounts, expiries = row
    return BalanceRow(
        posted - (due or 0), pending_out, owed or 0, list(zip(amounts or (), expiries or (), strict=True))
    )
