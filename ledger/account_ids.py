"""From accounts by name to their ids: opens what is not there yet, and remembers ids for the whole process."""

from itertools import islice
from typing import ClassVar
from weakref import WeakKeyDictionary

import asyncpg

from domain.accounts import Account

#: Ids that a process remembers for one database; the oldest go first, but those of striped accounts stay.
MAX_REMEMBERED = 200_000

# Two databases of one process never share ids: the identity is the cluster, the database and the table itself, so a
# schema that was dropped and made again is another one. So is the same one on another timeline: a server that was
# restored, or took over before it had received everything, may give an id that is remembered to another account. The
# timeline is that of the log being written, since the one of the last checkpoint lags behind a promotion.
_IDENTITY = """
SELECT s.system_identifier, d.oid, 'ledger.accounts'::regclass::oid,
    CASE WHEN NOT pg_is_in_recovery() THEN left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) END
FROM pg_control_system() s, pg_database d WHERE d.datname = current_database()
"""
_OPEN = """
SELECT o.account_id, o.settled
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::smallint[], $7::boolean[],
    $8::boolean[]) WITH ORDINALITY AS a (path, asset, org_id, kind, floor, stripes, lots, lots_lapse, ord),
    LATERAL ledger.open_account(a.path, a.asset, a.org_id, a.kind, a.floor, a.stripes, a.lots, a.lots_lapse) o
ORDER BY a.ord
"""


class AccountIds:
    """Ids of accounts on one connection, from a memory that all connections to the same database share."""

    _by_database: ClassVar[dict[tuple[object, ...], dict[tuple[str, str], int]]] = {}
    _by_connection: ClassVar[WeakKeyDictionary[asyncpg.Connection, dict[tuple[str, str], int]]] = WeakKeyDictionary()

    def __init__(self, connection: asyncpg.Connection) -> None:
        """Borrow the connection."""
        self._connection = connection
        self._known = self._by_connection.get(connection)

    async def of(self, *accounts: Account) -> list[int]:
        """Return the accounts' ids in the order given, opening those that do not exist."""
        known = self._known
        if known is None:
            known = await self._connect()
        try:
            return [known[account.path, account.asset] for account in accounts]
        except KeyError:
            wanted = {(a.path, a.asset): a for a in accounts}
            ids = {key: known[key] for key in wanted if key in known}
            ids |= await self._open({key: account for key, account in wanted.items() if key not in ids})
            return [ids[account.path, account.asset] for account in accounts]

    def forget(self) -> None:
        """Drop what is remembered for this database."""
        if self._known is not None:
            self._known.clear()

    async def _connect(self) -> dict[tuple[str, str], int]:
        identity = tuple(await self._connection.fetchrow(_IDENTITY) or ())
        self._known = self._by_database.setdefault(identity, {})
        self._by_connection[self._connection] = self._known
        return self._known

    async def _open(self, missing: dict[tuple[str, str], Account]) -> dict[tuple[str, str], int]:
        # In one order everywhere, so that two transactions that open the same accounts do not wait for each other.
        keys = sorted(missing)
        accounts = [missing[key] for key in keys]
        rows = await self._connection.fetch(
            _OPEN,
            [account.path for account in accounts],
            [account.asset for account in accounts],
            [account.org_id for account in accounts],
            [account.kind.value for account in accounts],
            [account.minimum_balance_minor for account in accounts],
            [account.stripes for account in accounts],
            [account.lots for account in accounts],
            [account.lots_lapse for account in accounts],
        )
        opened = {key: int(row["account_id"]) for key, row in zip(keys, rows, strict=True)}
        # An account that this transaction opened is remembered only once somebody finds it committed: the
        # transaction may still roll back, and its id would then stand for nothing.
        alone = not self._connection.is_in_transaction()
        known = self._known
        assert known is not None
        for key, row in zip(keys, rows, strict=True):
            if alone or row["settled"]:
                known[key] = opened[key]
        # Everybody posts to the striped ones, and they are few. The lowest byte of an id tells them apart.
        others = (key for key, account_id in known.items() if not account_id & 0xFF)
        for key in list(islice(others, max(0, len(known) - MAX_REMEMBERED))):
            del known[key]
        return opened
