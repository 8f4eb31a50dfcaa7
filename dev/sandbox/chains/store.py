"""The sandbox's state: one SQLite file, or memory for a test."""

import secrets
import sqlite3
from collections.abc import Iterator, MutableMapping
from pathlib import Path

SCHEMA = """
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS btc_blocks (height INTEGER PRIMARY KEY, hash TEXT NOT NULL, at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS btc_txs (
    number INTEGER PRIMARY KEY, txid TEXT UNIQUE NOT NULL, outputs TEXT NOT NULL, height INTEGER
);
CREATE TABLE IF NOT EXISTS evm_state (key BLOB PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS evm_orders (
    number INTEGER PRIMARY KEY, asset TEXT NOT NULL, address TEXT NOT NULL, amount TEXT NOT NULL, height INTEGER
);
CREATE TABLE IF NOT EXISTS ton_txs (
    number INTEGER PRIMARY KEY, account TEXT NOT NULL, amount INTEGER NOT NULL, comment TEXT, bounced INTEGER NOT NULL,
    seqno INTEGER, at INTEGER
);
CREATE TABLE IF NOT EXISTS prices (asset TEXT, currency TEXT, price TEXT NOT NULL, PRIMARY KEY (asset, currency));
"""


class Store:
    """A connection; every statement is its own transaction unless a caller opens one."""

    def __init__(self, path: Path | None = None) -> None:
        """Open the file, or a database in memory."""
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        self.db = sqlite3.connect(path or ":memory:", check_same_thread=False, isolation_level=None)
        self.db.row_factory = sqlite3.Row
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("PRAGMA synchronous = NORMAL")
        self.db.executescript(SCHEMA)
        # Another state is another chain: no hash of one is ever met on the other.
        self.db.execute("INSERT OR IGNORE INTO counters VALUES ('salt', ?)", (secrets.randbits(60),))
        self.salt = self.value("salt")

    def next(self, name: str) -> int:
        """Return the next number of a counter; it never goes back, also when blocks do."""
        statement = "INSERT INTO counters VALUES (?, 1) ON CONFLICT DO UPDATE SET value = value + 1 RETURNING value"
        return int(self.db.execute(statement, (name,)).fetchone()[0])

    def value(self, name: str) -> int:
        """Return the value of a counter."""
        row = self.db.execute("SELECT value FROM counters WHERE name = ?", (name,)).fetchone()
        return 0 if row is None else int(row[0])

    def close(self) -> None:
        """Close the connection."""
        self.db.close()


class KeyValues(MutableMapping[bytes, bytes]):
    """The EVM's database as a mapping: read from memory, written through."""

    def __init__(self, store: Store) -> None:
        """Read everything that was kept."""
        self._db = store.db
        self._known: dict[bytes, bytes] = {
            row["key"]: row["value"] for row in self._db.execute("SELECT key, value FROM evm_state")
        }

    def __getitem__(self, key: bytes) -> bytes:
        return self._known[key]

    def __setitem__(self, key: bytes, value: bytes) -> None:
        self._known[key] = value
        self._db.execute("INSERT OR REPLACE INTO evm_state VALUES (?, ?)", (key, value))

    def __delitem__(self, key: bytes) -> None:
        del self._known[key]
        self._db.execute("DELETE FROM evm_state WHERE key = ?", (key,))

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)
