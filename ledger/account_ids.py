"""From accounts by name to their ids: opens what is not there yet, and remembers ids for the whole process."""

from collections.abc import Sequence
from itertools import islice
from typing import ClassVar
from weakref import WeakKeyDictionary

import asyncpg

from domain.common.accounts import Account

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
#: One row for all accounts that are opened: their ids, and which of them are committed.
OPEN_ACCOUNTS = """
SELECT array_agg(o.account_id ORDER BY a.ord) AS ids, array_agg(o.settled ORDER BY a.ord) AS settled
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::smallint[], $7::boolean[],
    $8::boolean[]) WITH ORDINALITY AS a (path, asset, org_id, kind, floor, stripes, lots, lots_lapse, ord),
    LATERAL ledger.open_account(a.path, a.asset, a.org_id, a.kind, a.floor, a.stripes, a.lots, a.lots_lapse) o
"""


class AccountIds:
    """Ids of accounts on one connection, from a memory that all connections to the same database share."""

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

        They are in one order everywhere, so that two transactions that open the same ones do not wait for each other.
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
        """Remember ids that `OPEN_ACCOUNTS` returned, of those that are committed."""
        # An account that this transaction opened is remembered only once somebody finds it committed: the
        # transaction may still roll back, and its id would then stand for nothing.
        alone = not self._connection.is_in_transaction()
        known = self._known
        assert known is not None
        for account, account_id, is_settled in zip(accounts, ids, settled, strict=True):
            if alone or is_settled:
                known[account.path, account.asset] = account_id
        # Everybody posts to the striped ones, and they are few. The lowest byte of an id tells them apart.
        others = (key for key, account_id in known.items() if not account_id & 0xFF)
        for key in list(islice(others, max(0, len(known) - MAX_REMEMBERED))):
            del known[key]

    def forget(self) -> None:
        """Drop what is remembered for this database."""
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
