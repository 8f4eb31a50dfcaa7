"""The number of stripes of hot accounts: more stripes allow more concurrent postings."""

import asyncpg

from domain.common.accounts import HOT_STRIPES
from domain.common.errors import Invalid


async def use_stripes(connection: asyncpg.Connection, number: int) -> None:
    """Set the number of stripes of each hot account over which new connections spread their postings.

    Open connections keep their number. The balance is the sum over all stripes, so a change moves no money: amounts on
    unused stripes stay there and count.

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
