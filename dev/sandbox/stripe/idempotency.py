"""Idempotency as Stripe documents it: the first answer to a key is every answer to it, for a day.

What is remembered is kept in the transaction of its effect. A request that was refused before it was carried out leaves
nothing behind; one under way makes others with its key wait outside.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from dev.sandbox.stripe.core import Sandbox
from dev.sandbox.stripe.errors import Refusal, invalid

KEPT_SECONDS = 24 * 60 * 60
MAX_KEY = 255


@dataclass(frozen=True)
class Remembered:
    """An answer that was given before."""

    status: int
    body: dict[str, Any]


class Answers:
    """The answers to keys, and the keys that are being worked on.

    Args:
        sandbox: Whose requests these are.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.in_flight: set[str] = set()

    @contextmanager
    def claimed(self, key: str, fingerprint: str) -> Iterator[Remembered | None]:
        """Holds a key for one request, and yields the answer if it has been given before.

        Raises:
            Refusal: 409 while another request holds it, 400 when it was used for something else.
        """
        if len(key) > MAX_KEY:
            raise invalid(f"An idempotency key has at most {MAX_KEY} characters.")
        if key in self.in_flight:
            message = f"Another request with the idempotency key '{key}' is being carried out; try again in a moment."
            raise Refusal(409, "idempotency_error", message, code="idempotency_key_in_use")
        self.in_flight.add(key)
        try:
            yield self.remembered(key, fingerprint)
        finally:
            self.in_flight.discard(key)

    def remembered(self, key: str, fingerprint: str) -> Remembered | None:
        """Returns the answer to a key that is younger than a day, or None."""
        row = self.sandbox.store.sql.execute(
            "SELECT fingerprint, status, body FROM answers WHERE key = ? AND at > ?",
            (key, self.sandbox.now() - KEPT_SECONDS),
        ).fetchone()
        if row is None:
            return None
        if row[0] != fingerprint:
            message = f"The idempotency key '{key}' was first used with other parameters. Use another key for this."
            raise Refusal(400, "idempotency_error", message)
        return Remembered(row[1], json.loads(row[2]))

    def remember(self, key: str, fingerprint: str, status: int, body: dict[str, Any]) -> None:
        """Keeps an answer, within the transaction that is open."""
        self.sandbox.store.sql.execute(
            "INSERT OR REPLACE INTO answers (key, fingerprint, at, status, body) VALUES (?, ?, ?, ?, ?)",
            (key, fingerprint, self.sandbox.now(), status, json.dumps(body)),
        )


def fingerprint(method: str, path: str, params: dict[str, Any]) -> str:
    """Returns what must be equal for two requests to be the same one."""
    return hashlib.sha256(json.dumps([method, path, params], sort_keys=True).encode()).hexdigest()
