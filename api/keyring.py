"""API keys: their form, and how a process finds out whose a key is without asking PostgreSQL each time.

A key is `bsk_<26 characters of its id>_<64 hex digits>`. The database has the SHA-256 of the secret part only, and the
comparison takes constant time. A key that was found stays in the process for five seconds at most, and a revoked one
stops at once: PostgreSQL announces every change of a key (`api/announcements.py`), each process hears it and forgets
the key. While a process cannot listen, what it keeps lives for one second. Look-ups that failed are not kept, so
guessing cannot fill the memory.
"""

import asyncio
import contextlib
import hashlib
import hmac
import re
import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from api.announcements import Announcements
from api.pool import StatementPool
from domain.access import Role
from domain.errors import Unauthenticated
from domain.ids import SUFFIX
from domain.spend.scope import Attribution, SpendingKey
from repositories import api_key as keys
from runtime.database import Database

log = structlog.get_logger("bursar.api")

CACHE_SECONDS = 5.0
DEAF_CACHE_SECONDS = 1.0
CACHE_SIZE = 10_000
TOUCH_SECONDS = 60.0
FLUSH_SECONDS = 2.0

_TOKEN = re.compile(rf"bsk_({SUFFIX})_([0-9a-f]{{64}})")


def new_secret() -> str:
    """Return 256 random bits as they stand in a key."""
    return secrets.token_hex(32)


def token_of(key_id: str, secret: str) -> str:
    """Write the text that a client sends."""
    return f"bsk_{key_id.removeprefix('key_')}_{secret}"


def hash_of(secret: str) -> bytes:
    """Return what is stored of a secret. It has 256 random bits, so a slow hash would protect nothing more."""
    return hashlib.sha256(secret.encode()).digest()


def split_token(token: str) -> tuple[str, str] | None:
    """Return the key's id and the secret; None when the text is no key of ours."""
    match = _TOKEN.fullmatch(token)
    return (f"key_{match[1]}", match[2]) if match else None


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose a good key is."""

    key_id: str
    principal: str
    role: Role
    org_id: str | None
    agent_id: str | None
    department_id: str | None
    project_id: str | None

    def spending_key(self) -> SpendingKey:
        """Return the key as the rules of spending read it."""
        return SpendingKey(
            key_id=self.key_id,
            agent_id=self.agent_id,
            attribution=Attribution(department_id=self.department_id, project_id=self.project_id),
        )


@dataclass(slots=True)
class _Cached:
    identity: Identity
    until: float
    touch_after: float


class KeyRing:
    """Tells whose a key is. `start` begins to write times of last use, `close` ends it."""

    def __init__(self, pool: StatementPool, database: Database, announcements: Announcements) -> None:
        """Take what the look-ups and the times of last use go through, and what tells of changes."""
        self._pool = pool
        self._database = database
        self._cache: OrderedDict[bytes, _Cached] = OrderedDict()
        self._by_key: dict[str, bytes] = {}
        self._used: dict[str, datetime] = {}
        self._generation = 0
        #: Set while changes of keys are heard.
        self.listening = announcements.listening
        self._task: asyncio.Task[None] | None = None
        announcements.hear(keys.CHANNEL, lambda key_id: self.forget(key_id), doubt=self._doubt_all)

    def start(self) -> None:
        """Begin the background work."""
        self._task = asyncio.create_task(self._flush_forever())

    async def close(self) -> None:
        """End the background work and write the last times of use."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        with contextlib.suppress(Exception):
            await self.flush()

    def cached(self, token: str) -> Identity | None:
        """Return the identity from the memory of this process, which is what nearly every request meets."""
        entry = self._cache.get(hashlib.sha256(token.encode(errors="replace")).digest())
        now = time.monotonic()
        if entry is None or entry.until < now:
            return None
        if entry.touch_after < now:
            entry.touch_after = now + TOUCH_SECONDS
            self._used[entry.identity.key_id] = datetime.now(UTC)
        return entry.identity

    async def identify(self, token: str) -> Identity:
        """Return whose the key is.

        Raises:
            Unauthenticated: unknown, revoked or expired; the answer does not say which.
        """
        parts = split_token(token)
        if parts is None:
            raise Unauthenticated("The key is not of the form bsk_….")
        key_id, secret = parts
        generation = self._generation
        record = await self._pool.read(lambda pool: keys.lookup(pool, key_id))
        now = datetime.now(UTC)
        known = hmac.compare_digest(record.secret_hash if record else bytes(32), hash_of(secret))
        if (
            record is None
            or not known
            or record.revoked_at is not None
            or (record.expires_at is not None and record.expires_at <= now)
        ):
            raise Unauthenticated("The key is unknown, revoked or expired.")
        identity = Identity(
            key_id=key_id,
            principal=record.principal,
            role=Role(record.role),
            org_id=record.org_id,
            agent_id=record.agent_id,
            department_id=record.department_id,
            project_id=record.project_id,
        )
        lasts = CACHE_SECONDS if self.listening.is_set() else DEAF_CACHE_SECONDS
        if record.expires_at is not None:
            lasts = min(lasts, (record.expires_at - now).total_seconds())
        # A key that changed while it was looked up is not kept: its announcement may have come before this line.
        if generation == self._generation:
            self._keep(hashlib.sha256(token.encode()).digest(), identity, lasts)
        self._used[key_id] = now
        return identity

    def forget(self, key_id: str) -> None:
        """Drop a key from the memory of this process."""
        self._generation += 1
        digest = self._by_key.pop(key_id, None)
        if digest is not None:
            self._cache.pop(digest, None)

    async def flush(self) -> None:
        """Write the times of last use that came together since the last call."""
        if self._used:
            used, self._used = self._used, {}
            async with self._database.platform() as session:
                await keys.touch(session, used)

    def _keep(self, digest: bytes, identity: Identity, lasts: float) -> None:
        now = time.monotonic()
        previous = self._cache.pop(digest, None)
        touch_after = previous.touch_after if previous else now + TOUCH_SECONDS
        self._cache[digest] = _Cached(identity, now + lasts, touch_after)
        self._by_key[identity.key_id] = digest
        while len(self._cache) > CACHE_SIZE:
            _, dropped = self._cache.popitem(last=False)
            self._by_key.pop(dropped.identity.key_id, None)

    def _doubt_all(self) -> None:
        """Ask again for every key before it is believed."""
        self._generation += 1
        for entry in self._cache.values():
            entry.until = 0.0

    async def _flush_forever(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            try:
                await self.flush()
            except Exception as exc:
                log.warning("keys.last_use_lost", error=f"{type(exc).__name__}: {exc}"[:300])
