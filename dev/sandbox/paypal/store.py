"""Everything that the sandbox knows, in one SQLite file that survives a restart."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

Json = dict[str, Any]

_TABLES = """
CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS payments (
    id TEXT PRIMARY KEY, order_id TEXT NOT NULL, kind TEXT NOT NULL, invoice_id TEXT
);
CREATE INDEX IF NOT EXISTS payments_invoice ON payments (invoice_id);
CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, resource TEXT NOT NULL, ends_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS tokens (token TEXT PRIMARY KEY, ends_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS deliveries (
    id INTEGER PRIMARY KEY, event TEXT NOT NULL, due_at TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL DEFAULT 'waiting'
);
CREATE INDEX IF NOT EXISTS deliveries_waiting ON deliveries (due_at) WHERE state = 'waiting';
"""


class Store:
    """Orders in PayPal's shape with their payments, and the sandbox's own state."""

    def __init__(self, path: Path) -> None:
        """Open or make the file."""
        # Created by one thread and used by another one, which serves the app.
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.executescript("PRAGMA journal_mode = WAL;" + _TABLES)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep all of it or nothing."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def now(self) -> datetime:
        """Return the sandbox's time: the machine's, moved by what the control surface asked for."""
        return datetime.now(UTC) + timedelta(seconds=self.setting("clock_offset_seconds", 0))

    def order(self, order_id: str) -> Json | None:
        """Return an order by its id, or by the id of a payment in it."""
        row = self._db.execute(
            "SELECT body FROM orders WHERE id = coalesce((SELECT order_id FROM payments WHERE id = ?1), ?1)",
            (order_id,),
        ).fetchone()
        return None if row is None else json.loads(row[0])

    def orders(self) -> list[Json]:
        """List all orders, oldest first."""
        return [json.loads(body) for (body,) in self._db.execute("SELECT body FROM orders ORDER BY rowid")]

    def save(self, order: Json) -> None:
        """Keep an order and the ids of its payments."""
        self._db.execute(
            "INSERT INTO orders VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body",
            (order["id"], json.dumps(order)),
        )
        for kind, payments in order["purchase_units"][0].get("payments", {}).items():
            self._db.executemany(
                "INSERT OR IGNORE INTO payments VALUES (?, ?, ?, ?)",
                [(payment["id"], order["id"], kind, payment.get("invoice_id")) for payment in payments],
            )

    def orders_paid_under(self, invoice_id: str) -> list[str]:
        """List the orders that hold or took money under an invoice id."""
        rows = self._db.execute(
            "SELECT DISTINCT order_id FROM payments WHERE invoice_id = ? AND kind <> 'refunds'", (invoice_id,)
        )
        return [order_id for (order_id,) in rows]

    def has_refund_under(self, invoice_id: str) -> bool:
        """Return whether a refund has this invoice id."""
        query = "SELECT 1 FROM payments WHERE invoice_id = ? AND kind = 'refunds'"
        return bool(self._db.execute(query, (invoice_id,)).fetchone())

    def answer(self, key: str) -> str | None:
        """Return the id of what a request with this key made, while it is remembered."""
        row = self._db.execute(
            "SELECT resource FROM answers WHERE key = ? AND ends_at > ?", (key, self.now().isoformat())
        ).fetchone()
        return None if row is None else str(row[0])

    def save_answer(self, key: str, resource: str, kept_for: timedelta) -> None:
        """Remember what a request with this key made."""
        self._db.execute(
            "INSERT OR REPLACE INTO answers VALUES (?, ?, ?)", (key, resource, (self.now() + kept_for).isoformat())
        )

    def add_token(self, token: str, ends_at: datetime) -> None:
        """Remember a token."""
        self._db.execute("INSERT INTO tokens VALUES (?, ?)", (token, ends_at.isoformat()))

    def has_token(self, token: str) -> bool:
        """Return whether a token was given out, not revoked, and has not ended."""
        return bool(
            self._db.execute(
                "SELECT 1 FROM tokens WHERE token = ? AND ends_at > ?", (token, self.now().isoformat())
            ).fetchone()
        )

    def revoke_tokens(self) -> None:
        """Forget every token."""
        self._db.execute("DELETE FROM tokens")

    def setting(self, name: str, default: Any) -> Any:
        """Return what was set, or the default."""
        row = self._db.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        return default if row is None else json.loads(row[0])

    def set(self, name: str, value: Any) -> None:
        """Set a value permanently."""
        self._db.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, json.dumps(value)))

    def add_delivery(self, event: Json, due_at: datetime, state: str) -> None:
        """Queue an event to be sent."""
        self._db.execute(
            "INSERT INTO deliveries (event, due_at, state) VALUES (?, ?, ?)",
            (json.dumps(event), due_at.isoformat(), state),
        )

    def deliveries(self, *, waiting_until: datetime | None = None) -> list[Json]:
        """List every delivery, oldest first, or those that wait and are due by a time."""
        query, values = "SELECT id, event, due_at, attempts, state FROM deliveries", []
        if waiting_until is not None:
            query += " WHERE state = 'waiting' AND due_at <= ?"
            values.append(waiting_until.isoformat())
        rows = self._db.execute(f"{query} ORDER BY id", values)
        return [
            {
                "id": key,
                "event": json.loads(event),
                "due_at": datetime.fromisoformat(due_at),
                "attempts": attempts,
                "state": state,
            }
            for key, event, due_at, attempts, state in rows
        ]

    def next_due_at(self) -> datetime | None:
        """Return when the next delivery that waits is due."""
        [(due_at,)] = self._db.execute("SELECT min(due_at) FROM deliveries WHERE state = 'waiting'")
        return None if due_at is None else datetime.fromisoformat(due_at)

    def update_delivery(self, delivery: int, *, due_at: datetime, attempts: int, state: str) -> None:
        """Record the outcome of an attempt."""
        self._db.execute(
            "UPDATE deliveries SET due_at = ?, attempts = ?, state = ? WHERE id = ?",
            (due_at.isoformat(), attempts, state, delivery),
        )
