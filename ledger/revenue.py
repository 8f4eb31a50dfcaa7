"""The gateway to the SQL functions that turn what lots' uses cost into postings; see `ledger/sql/revenue.sql`."""

from datetime import timedelta

import asyncpg

from ledger.errors import translated

#: What was posted so long ago is in the order of transfers for good once all older transactions have ended: longer than
#: a statement may last, and than the clocks of two database servers may differ.
SETTLE = timedelta(minutes=1)


class Revenue:
    """Books revenue over one connection of the platform role. Raises as `ledger.gateway.Ledger` does."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def mark(self, *, settle: timedelta = SETTLE) -> None:
        """Note how far uses can be booked by a later transaction."""
        with translated(self._connection, _nothing_remembered):
            await self._connection.execute("SELECT ledger.settle_uses($1)", settle)

    async def recognise(self, *, limit: int, settle: timedelta = SETTLE) -> int:
        """Book what the next uses and returns of lots cost, up to the limit, and return how many there were.

        Fewer than the limit means that none is left that can be booked by now.
        """
        with translated(self._connection, _nothing_remembered):
            return int(await self._connection.fetchval("SELECT ledger.recognise_revenue($1, $2)", limit, settle))


def _nothing_remembered() -> None:
    """Forget no account: the functions find theirs by themselves."""
