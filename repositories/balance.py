"""An organization's balance and the lots that have yet to expire, in one round trip."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

_VIEW = "SELECT posted, pending_out, owed, lasting, amounts, expiries FROM balance_view($1, $2)"


@dataclass(frozen=True, slots=True)
class BalanceRow:
    """What an organization has in one asset, in minor units.

    Attributes:
        posted: what is in the account.
        pending_out: what holds set aside of it.
        owed: what the organization owes; the next money that comes in pays it.
        lasting: credits that were granted without an expiry; only told when some expire.
        amounts: the lots that have yet to expire, soonest first.
        expiries: when each of them does.
    """

    posted: int
    pending_out: int
    owed: int
    lasting: int
    amounts: Sequence[int]
    expiries: Sequence[datetime]


async def read(pool: "asyncpg.Pool[asyncpg.Record]", org_id: str, asset: str) -> BalanceRow:
    """Read the balance as the organization itself sees it; zeros when it has no account."""
    row = await pool.fetchrow(_VIEW, org_id, asset)
    assert row is not None
    posted, pending_out, owed, lasting, amounts, expiries = row
    return BalanceRow(posted, pending_out, owed or 0, lasting or 0, amounts or (), expiries or ())


def expiring(row: BalanceRow) -> list[tuple[int, datetime]]:
    """Return what will expire and when, soonest first.

    Spending takes the soonest-expiring first, so what is available is what lasts longest: it fills the lots that never
    expire, then the others from the last to expire on.
    """
    left = max(0, row.posted - row.pending_out - row.lasting)
    remaining: list[tuple[int, datetime]] = []
    for amount, expires_at in zip(reversed(row.amounts), reversed(row.expiries), strict=True):
        if left <= 0:
            break
        remaining.append((min(amount, left), expires_at))
        left -= min(amount, left)
    return remaining[::-1]
