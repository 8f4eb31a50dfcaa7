"""State of the sandbox in one SQLite file; every committed change survives a kill.

Objects are kept as the JSON that Stripe would answer, unexpanded. One connection is used by one transaction at a time;
the frame's lock sees to that, so nothing here locks.

Every account has objects of its own: the platform, whose name is empty, and each connected account.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# Fields that lists are filtered by and operations look up, each with an index of its own.
INDEXED = ("customer", "payment_intent", "payment_method", "charge", "source", "status", "product", "invoice")

SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    id TEXT NOT NULL UNIQUE,
    created INTEGER NOT NULL,
    body TEXT NOT NULL,
    account TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS objects_kind ON objects (kind, seq);
CREATE TABLE IF NOT EXISTS tasks (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    due_at INTEGER NOT NULL,
    name TEXT NOT NULL,
    args TEXT NOT NULL,
    account TEXT NOT NULL DEFAULT '',
    clock TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS deliveries (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    event TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due_ms INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'delivered', 'failed', 'dropped'))
);
CREATE INDEX IF NOT EXISTS deliveries_waiting ON deliveries (due_ms, seq) WHERE state = 'waiting';
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, at INTEGER NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


class Store:
    """Objects by kind and id, in the order of their creation.

    Args:
        path: The file, made when it is not there.

    Attributes:
        account: Whose objects are asked for: a connected account's id, or nothing for the platform.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.sql = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        # NORMAL loses nothing when a process is killed; only a power failure could take the last commits.
        self.sql.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 5000;")
        self.sql.executescript(SCHEMA)
        for table, column in (("objects", "account"), ("tasks", "account"), ("tasks", "clock")):
            self._grow(table, column)
        self.account = ""
        self.sql.execute("CREATE INDEX IF NOT EXISTS tasks_of_clock ON tasks (clock, due_at, seq)")
        for field in INDEXED:
            self.sql.execute(
                f"CREATE INDEX IF NOT EXISTS objects_{field} ON objects (kind, json_extract(body, '$.{field}'), seq)"
            )

    def close(self) -> None:
        """Closes the file; nothing may be asked afterwards."""
        self.sql.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commits all that is done inside, or nothing when it raises."""
        self.sql.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.sql.execute("ROLLBACK")
            raise
        self.sql.execute("COMMIT")

    def _grow(self, table: str, column: str) -> None:
        """Adds a column of text to a file that is older than it is."""
        if all(known[1] != column for known in self.sql.execute(f"PRAGMA table_info({table})")):
            self.sql.execute(f"ALTER TABLE {table} ADD COLUMN {column} TEXT NOT NULL DEFAULT ''")

    @contextmanager
    def within(self, account: str) -> Iterator[None]:
        """Scope the block to the objects of one account; the platform's is the empty string."""
        former, self.account = self.account, account
        try:
            yield
        finally:
            self.account = former

    def get(self, kind: str, id: str) -> dict[str, Any] | None:
        """Returns a copy of an object, or None."""
        row = self.sql.execute(
            "SELECT body FROM objects WHERE id = ? AND kind = ? AND account = ?", (id, kind, self.account)
        ).fetchone()
        return None if row is None else json.loads(row[0])

    def find(self, id: str) -> dict[str, Any] | None:
        """Returns a copy of the object of any kind with this id, or None."""
        row = self.sql.execute("SELECT body FROM objects WHERE id = ? AND account = ?", (id, self.account)).fetchone()
        return None if row is None else json.loads(row[0])

    def put(self, obj: Mapping[str, Any]) -> None:
        """Stores an object under its `object` and `id`; one that is there keeps its place in lists."""
        self.sql.execute(
            "INSERT INTO objects (kind, id, created, body, account) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET body = excluded.body",
            (obj["object"], obj["id"], obj.get("created", 0), json.dumps(obj), self.account),
        )

    def delete(self, kind: str, id: str) -> None:
        """Forgets an object; one that is not there is not missed."""
        self.sql.execute("DELETE FROM objects WHERE id = ? AND kind = ? AND account = ?", (id, kind, self.account))

    def query(self, kind: str, **equal: Any) -> list[dict[str, Any]]:
        """Returns all objects of a kind whose top-level fields equal these, newest first."""
        return self.page(kind, equal)

    def page(
        self,
        kind: str,
        equal: Mapping[str, Any],
        *,
        created: Mapping[str, int] | None = None,
        after: str | None = None,
        before: str | None = None,
        limit: int = -1,
    ) -> list[dict[str, Any]]:
        """Returns objects newest first, from behind `after` or up to `before`, both ids.

        Args:
            kind: The object's type.
            equal: Fields by name, nested ones with dots, and the value that each must have, one of them for a list.
            created: Bounds by `gt`, `gte`, `lt`, `lte`.
            after: Only what is older than this object.
            before: Only what is newer than this object, the nearest `limit` of them.
            limit: At most so many; all when negative.
        """
        where: list[str] = ["kind = ?", "account = ?"]
        values: list[Any] = [kind, self.account]
        for field, value in equal.items():
            column = f"json_extract(body, '$.{field}')"
            if isinstance(value, list):
                where.append(f"{column} IN ({', '.join('?' * len(value))})")
                values += value
            else:
                where.append(f"{column} IS ?")
                values.append(value)
        for name, bound in (created or {}).items():
            where.append(f"created {OPERATORS[name]} ?")
            values.append(bound)
        for anchor, sign in ((after, "<"), (before, ">")):
            if anchor is not None:
                where.append(f"seq {sign} (SELECT seq FROM objects WHERE id = ?)")
                values.append(anchor)
        order = "ASC" if before is not None else "DESC"
        rows = self.sql.execute(
            f"SELECT body FROM objects WHERE {' AND '.join(where)} ORDER BY seq {order} LIMIT ?", (*values, limit)
        ).fetchall()
        found = [json.loads(row[0]) for row in rows]
        return found[::-1] if before is not None else found

    def setting(self, name: str) -> Any:
        """Returns what was kept under this name, or None."""
        row = self.sql.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        return None if row is None else json.loads(row[0])

    def keep(self, name: str, value: Any) -> None:
        """Keeps a JSON value under a name."""
        self.sql.execute("INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)", (name, json.dumps(value)))


OPERATORS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
