"""The gateway to the SQL functions that recognise revenue from uses of lots; see `ledger/sql/revenue.sql`."""

from datetime import timedelta

import asyncpg

from ledger.errors import translated

#: The age of transfers whose order is final once all older transactions have ended: longer than the statement timeout
#: and the clock difference of two database servers.
FINAL_AFTER = timedelta(minutes=1)


class Revenue:
    """Books revenue over one connection of the platform role. Raises as `ledger.gateway.Ledger` does."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def mark(self, *, settle: timedelta = FINAL_AFTER) -> None:
        """Record the transfer up to which a later transaction can book uses."""
        with translated(self._connection, _empty_cache):
            await self._connection.execute("SELECT ledger.settle_uses($1)", settle)

    async def recognise(self, *, limit: int, settle: timedelta = FINAL_AFTER) -> int:
        """Book the costs of the next uses and returns of lots, up to the limit, and return how many there were.

        Fewer than the limit means that no further one can be booked now.
        """
        with translated(self._connection, _empty_cache):
            return int(await self._connection.fetchval("SELECT ledger.recognise_revenue($1, $2)", limit, settle))


def _empty_cache() -> None:
    """Do nothing: the functions find their accounts themselves."""
