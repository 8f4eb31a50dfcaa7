"""API keys and sessions: their form, and how a process finds out whose one is without asking PostgreSQL each time.

A key is `bsk_<26 characters of its id>_<64 hex digits>`. The database has the SHA-256 of the secret part only, and the
comparison takes constant time. A key that was found stays in the process for five seconds at most, and a revoked one
stops at once: PostgreSQL announces every change of a key (`api/announcements.py`), each process hears it and forgets
the key. While a process cannot listen, what it keeps lives for one second. Look-ups that failed are not kept, so
guessing cannot fill the memory.

The token of a session, `bss_…`, has the same form and is taken wherever a key is. It is kept in the same memory, and
forgotten when the session ends or when something of its key changes. A link is `bsl_…` in that form, and opens nothing
but its session.
"""

import asyncio
import contextlib
import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from api.announcements import Announcements
from api.pool import StatementPool
from api.recurring import Recurring
from domain.common.access import Permission, Role
from domain.common.errors import Unauthenticated
from domain.credits.spend.scope import Attribution, SpendingKey
from domain.tenants.session import SessionEnded, SessionLifetime, is_over
from domain.tenants.token import hash_of, split_token
from repositories.tenants import api_key as keys, session as sessions
from runtime.database import Database

log = structlog.get_logger("bursar.api")

CACHE_SECONDS = 5.0
DEAF_CACHE_SECONDS = 1.0
CACHE_SIZE = 10_000
TOUCH_SECONDS = 60.0
FLUSH_SECONDS = 2.0


def new_secret() -> str:
    """Return 256 random bits, encoded as in a key."""
    return secrets.token_hex(32)


def is_secret(secret: str, stored: bytes | None) -> bool:
    """Compare a secret with a stored digest in constant time; None if there is none."""
    return hmac.compare_digest(bytes(32) if stored is None else stored, hash_of(secret))


@dataclass(frozen=True, slots=True)
class KeySession:
    """The session that a request comes in."""

    session_id: str
    made_by: str | None
    span: SessionLifetime
    last_used_at: datetime


@dataclass(frozen=True, slots=True)
class Identity:
    """The owner of a valid key, or of a session.

    Attributes:
        key_id: what is spent under: the key; where a link opened the session, the key of its principal, or else the
            session itself.
        share: what the limit of requests is counted by. A principal has one within its organization, and so has an
            agent, however many keys and sessions: it makes its own second key. What a link opened has its own, and not
            that of its maker.
        session: None for a key.
        added: the permissions of the key beyond those of its role.
        names: the keys, the session, the agent and the organization with whose end this is doubted.
    """

    key_id: str
    principal: str
    role: Role
    org_id: str | None
    agent_id: str | None
    department_id: str | None
    project_id: str | None
    share: str
    names: tuple[str, ...]
    session: KeySession | None = None
    added: frozenset[Permission] = frozenset()

    @property
    def used(self) -> str:
        """The key or the session whose time of last use follows."""
        return self.key_id if self.session is None else self.session.session_id

    def spending_key(self) -> SpendingKey:
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


def _known(permissions: Collection[str]) -> frozenset[Permission]:
    """Return permissions by their names; what only newer code knows is left out."""
    return frozenset(permission for permission in Permission if permission.value in permissions)


def _share_of(org_id: str | None, principal: str) -> str:
    return f"{org_id or 'platform'}/{principal.lower()}"


def _names(*ids: str | None) -> tuple[str, ...]:
    return tuple({each for each in ids if each is not None})


class KeyRing(Recurring):
    """Tells whose a key or a session is. `start` begins to write times of last use, `close` ends it."""

    def __init__(self, pool: StatementPool, database: Database, announcements: Announcements) -> None:
        """Take the pool for look-ups and times of last use, and the announcements of changes."""
        self._pool = pool
        self._database = database
        self._cache: OrderedDict[bytes, _Cached] = OrderedDict()
        self._by_name: dict[str, set[bytes]] = {}
        self._used: dict[str, datetime] = {}
        self._flushing = asyncio.Lock()
        self._generation = 0
        #: Set while changes of keys are heard.
        self.listening = announcements.listening
        announcements.hear(keys.CHANNEL, lambda key_id: self.forget(key_id), doubt=self._doubt_all)
        announcements.hear(sessions.CHANNEL, lambda session_id: self.forget(session_id), doubt=self._doubt_all)

    async def close(self) -> None:
        """End the background work and write the last times of use."""
        await super().close()
        with contextlib.suppress(Exception):
            await self.flush()

    def cached(self, token: str, *, is_use: bool = True) -> Identity | None:
        """Return the identity from the memory of this process, which is what nearly every request meets."""
        entry = self._cache.get(hashlib.sha256(token.encode(errors="replace")).digest())
        now = time.monotonic()
        if entry is None or entry.until < now:
            return None
        if is_use and entry.touch_after < now:
            entry.touch_after = now + TOUCH_SECONDS
            self._used[entry.identity.used] = datetime.now(UTC)
        return entry.identity

    async def identify(self, token: str, *, is_use: bool = True) -> Identity:
        """Return whose the key or the session is; `is_use` says whether that puts off the end of an idle session.

        Raises:
            Unauthenticated: unknown, revoked or expired; the answer does not say which of a key.
            SessionEnded: the token is of an ended session.
        """
        generation, now = self._generation, datetime.now(UTC)
        until: datetime | None
        if token.startswith("bss_"):
            identity, until = await self._session(token, now, is_use=is_use)
        else:
            identity, until = await self._key(token, now)
        lasts = CACHE_SECONDS if self.listening.is_set() else DEAF_CACHE_SECONDS
        if until is not None:
            lasts = min(lasts, (until - now).total_seconds())
        # A key that changed while it was looked up is not kept: its announcement may have come before this line.
        if generation == self._generation:
            self._keep(hashlib.sha256(token.encode()).digest(), identity, lasts, is_use=is_use)
        if is_use:
            self._used[identity.used] = now
        return identity

    async def is_good(self, token: str) -> bool:
        """Return whether a key or a session is still valid, without counting as a use: for streamed responses."""
        entry = self._cache.get(hashlib.sha256(token.encode(errors="replace")).digest())
        if entry is not None and entry.until >= time.monotonic():
            return True
        try:
            await self.identify(token, is_use=False)
        except Unauthenticated:
            return False
        return True

    async def _key(self, token: str, now: datetime) -> tuple[Identity, datetime | None]:
        parts = split_token(token)
        if parts is None:
            raise Unauthenticated("The key is not of the form bsk_….")
        key_id, secret = parts
        record = await self._pool.read(lambda pool: keys.lookup(pool, key_id))
        known = is_secret(secret, record.secret_hash if record else None)
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
            share=record.agent_id or _share_of(record.org_id, record.principal),
            names=_names(key_id, record.agent_id, record.org_id),
            added=_known(record.permissions),
        )
        return identity, record.expires_at

    async def _session(self, token: str, now: datetime, *, is_use: bool) -> tuple[Identity, datetime]:
        parts = split_token(token, "ses")
        if parts is None:
            raise Unauthenticated("The token is not of the form bss_….")
        session_id, secret = parts
        record = await self._pool.read(lambda pool: sessions.lookup(pool, session_id))
        known = is_secret(secret, record.secret_hash if record else None)
        if record is None or not known:
            raise Unauthenticated("The session is unknown.")
        span = SessionLifetime(expires_at=record.expires_at, idle=timedelta(seconds=record.idle_seconds))
        # What this process has not written yet counts as well.
        last_used_at = max(record.last_used_at, self._used.get(session_id, record.last_used_at))
        if record.key_ended or is_over(span, last_used_at=last_used_at, ended_at=record.ended_at, now=now):
            raise SessionEnded
        identity = Identity(
            key_id=record.spends_as,
            principal=record.principal,
            role=Role(record.role),
            org_id=record.org_id,
            agent_id=record.agent_id,
            department_id=record.department_id,
            project_id=record.project_id,
            share=record.agent_id
            or (_share_of(record.org_id, record.principal) if record.made_by is None else session_id),
            names=_names(record.key_id, record.spends_as, session_id, record.agent_id, record.org_id),
            session=KeySession(session_id, record.made_by, span, now if is_use else last_used_at),
            added=_known(record.permissions),
        )
        return identity, record.expires_at

    def forget(self, name: str) -> None:
        """Drop from the memory of this process a key, a session, or all of an agent or an organization."""
        self._generation += 1
        for digest in self._by_name.pop(name, ()):
            self._drop(digest)

    async def flush(self) -> None:
        """Write the times of last use that came together; afterwards those of a flush that was under way stand too."""
        async with self._flushing:
            if not self._used:
                return
            used, self._used = self._used, {}
            of_sessions = {name: at for name, at in used.items() if name.startswith("ses_")}
            of_keys = {name: at for name, at in used.items() if name not in of_sessions}
            async with self._database.platform() as session:
                if of_keys:
                    await keys.touch(session, of_keys)
                if of_sessions:
                    await sessions.touch(session, of_sessions)

    def _keep(self, digest: bytes, identity: Identity, lasts: float, *, is_use: bool) -> None:
        now = time.monotonic()
        previous = self._drop(digest)
        # What was found without being used is touched by its first use.
        touch_after = previous.touch_after if previous else now + TOUCH_SECONDS if is_use else 0.0
        self._cache[digest] = _Cached(identity, now + lasts, touch_after)
        for name in identity.names:
            self._by_name.setdefault(name, set()).add(digest)
        while len(self._cache) > CACHE_SIZE:
            self._drop(next(iter(self._cache)))

    def _drop(self, digest: bytes) -> _Cached | None:
        entry = self._cache.pop(digest, None)
        for name in entry.identity.names if entry else ():
            others = self._by_name.get(name)
            if others is not None:
                others.discard(digest)
                if not others:
                    del self._by_name[name]
        return entry

    def _doubt_all(self) -> None:
        """Ask again for every key before it is believed."""
        self._generation += 1
        for entry in self._cache.values():
            entry.until = 0.0

    async def _forever(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            try:
                await self.flush()
            except Exception as exc:
                log.warning("keys.last_use_lost", error=f"{type(exc).__name__}: {exc}"[:300])
