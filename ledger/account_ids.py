"""Account ids by account: opens missing accounts, and caches ids for the whole process."""

from collections.abc import Sequence
from itertools import islice
from typing import ClassVar
from weakref import WeakKeyDictionary

import asyncpg

from domain.common.accounts import Account

#: The number of ids that a process caches for a database; the oldest are dropped, except those of striped accounts.
MAX_CACHED = 200_000

# Two databases never share a cache. The identity is the cluster, the database and the table, so a recreated schema is
# another one. It includes the timeline, because a restored or promoted server may give a cached id to another account:
# that of the log being written, because the timeline of the last checkpoint lags behind a promotion.
_IDENTITY = """
SELECT s.system_identifier, d.oid, 'ledger.accounts'::regclass::oid,
    CASE WHEN NOT pg_is_in_recovery() THEN left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) END
FROM pg_control_system() s, pg_database d WHERE d.datname = current_database()
"""
#: Returns one row: the ids of all accounts, and which of them are committed.
OPEN_ACCOUNTS = """
SELECT array_agg(o.account_id ORDER BY a.ord) AS ids, array_agg(o.settled ORDER BY a.ord) AS settled
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::smallint[], $7::boolean[],
    $8::boolean[]) WITH ORDINALITY AS a (path, asset, org_id, kind, floor, stripes, lots, lots_lapse, ord),
    LATERAL ledger.open_account(a.path, a.asset, a.org_id, a.kind, a.floor, a.stripes, a.lots, a.lots_lapse) o
"""


class AccountIds:
    """Account ids for one connection, from a cache that all connections to the same database share."""

    _by_database: ClassVar[dict[tuple[object, ...], dict[tuple[str, str], int]]] = {}
    _by_connection: ClassVar[WeakKeyDictionary[asyncpg.Connection, dict[tuple[str, str], int]]] = WeakKeyDictionary()

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self._known = self._by_connection.get(connection)

    async def of(self, *accounts: Account) -> list[int]:
        """Return the accounts' ids in the order given, opening those that do not exist."""
        ids, missing = await self.find(accounts)
        if not missing:
            return ids
        row = await self._connection.fetchrow(OPEN_ACCOUNTS, *columns(missing))
        assert row is not None
        self.opened(missing, row["ids"], row["settled"])
        return [known if known >= 0 else row["ids"][-known - 1] for known in ids]

    async def find(self, accounts: Sequence[Account]) -> tuple[list[int], list[Account]]:
        """Return the ids in the order given, and the accounts to open, each once; the nth of these has the id -n.

        Accounts are opened in a fixed order, so that two transactions that open the same ones do not deadlock.
        """
        known = self._known
        if known is None:
            known = await self._connect()
        try:
            return [known[account.path, account.asset] for account in accounts], []
        except KeyError:
            wanted = {(a.path, a.asset): a for a in accounts}
            missing = sorted(key for key in wanted if key not in known)
            places = {key: -number for number, key in enumerate(missing, 1)}
            ids = [places.get(key) or known[key] for key in ((a.path, a.asset) for a in accounts)]
            return ids, [wanted[key] for key in missing]

    def opened(self, accounts: Sequence[Account], ids: Sequence[int], settled: Sequence[bool]) -> None:
        """Cache the committed ids that `OPEN_ACCOUNTS` returned."""
        # An account that this transaction opened is cached only once it is found committed: the transaction may still
        # roll back.
        alone = not self._connection.is_in_transaction()
        known = self._known
        assert known is not None
        for account, account_id, is_settled in zip(accounts, ids, settled, strict=True):
            if alone or is_settled:
                known[account.path, account.asset] = account_id
        # Striped accounts are few and used by all. The lowest byte of an id identifies them.
        others = (key for key, account_id in known.items() if not account_id & 0xFF)
        for key in list(islice(others, max(0, len(known) - MAX_CACHED))):
            del known[key]

    def forget(self) -> None:
        """Clear the cache of this database."""
        if self._known is not None:
            self._known.clear()

    async def _connect(self) -> dict[tuple[str, str], int]:
        identity = tuple(await self._connection.fetchrow(_IDENTITY) or ())
        self._known = self._by_database.setdefault(identity, {})
        self._by_connection[self._connection] = self._known
        return self._known


def columns(accounts: Sequence[Account]) -> list[list[object]]:
    """Return the parameters of `OPEN_ACCOUNTS`."""
    return [
        [account.path for account in accounts],
        [account.asset for account in accounts],
        [account.org_id for account in accounts],
        [account.kind.value for account in accounts],
        [account.minimum_balance_minor for account in accounts],
        [account.stripes for account in accounts],
        [account.lots for account in accounts],
        [account.lots_lapse for account in accounts],
    ]
