"""How many stripes of a hot account are in use: more of them let more postings at once go on without waiting."""

import asyncpg

from domain.common.accounts import HOT_STRIPES
from domain.common.errors import Invalid


async def use_stripes(connection: asyncpg.Connection, number: int) -> None:
    """Have new connections to this database spread their postings over so many stripes of each hot account.

    Connections that are open keep the number that they began with. The balance is the sum over all stripes, so neither
    more nor fewer of them move any money: what lies on a stripe that is no longer used stays there and counts.

    Args:
        connection: of the database's owner.
        number: 1 to `HOT_STRIPES`; the default of a new database is 16.

    Raises:
        Invalid: the number is out of range.
    """
    if not 1 <= number <= HOT_STRIPES:
        raise Invalid(f"The number of stripes must be from 1 to {HOT_STRIPES}.", extra={"field": "stripes"})
    name = await connection.fetchval("SELECT quote_ident(current_database())")
    await connection.execute(f"ALTER DATABASE {name} SET bursar.stripes = {number:d}")
