"""Rotator of Bursar's own API keys: a key issues its principal's second key, which then revokes the first.

It needs the key itself, and does only what its holder could do over the API. A principal has at most two active keys,
so a second key must be revoked first.
"""

import hmac
import secrets
from collections.abc import Hashable

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.access import Actor, Role
from domain.secrets.rotation import RotationFailed
from domain.tenants.api_key import KeyRules
from domain.tenants.token import hash_of, split_token, token_of
from models.tenants.api_key import ApiKey
from providers.secrets.rotators.base import RotationJob
from repositories.tenants import api_key as keys
from runtime.database import Database
from runtime.identity import new_id
from services.tenants import api_key as service


class OwnKeysRotator:
    """Rotator of an API key of Bursar, without a target."""

    def __init__(self, database: Database, rules: KeyRules) -> None:
        self._database = database
        self._rules = rules

    async def make(self, job: RotationJob, current: bytes) -> bytes:
        """Return a new key, which is not issued yet."""
        async with self._database.platform() as session:
            await _held(session, job, current)
        return token_of(new_id("key"), secrets.token_hex(32)).encode()

    async def apply(self, job: RotationJob, current: bytes, new: bytes) -> None:
        """Issue the new key as the principal's second one: same role, agent and permissions, no later expiry."""
        key_id, secret = _split(new)
        async with self._database.platform() as session:
            if await keys.find(session, key_id) is not None:
                return
            held = await _held(session, job, current)
            actor = _actor(held)
            key = ApiKey(
                id=key_id,
                org_id=held.org_id,
                principal=held.principal,
                role=held.role,
                agent_id=held.agent_id,
                permissions=held.permissions,
                secret_hash=hash_of(secret),
                created_by=actor.qualified(),
                issued_by=held.id,
                command_id=f"rotation:{job.secret_id}:{job.number}",
                expires_at=held.expires_at,
            )
            await service.issue(session, actor, key, self._rules, own=True)

    async def test(self, job: RotationJob, new: bytes) -> None:
        """Check that the new key is active."""
        async with self._database.platform() as session:
            found = await _held(session, job, new)
            if not await keys.is_active(session, found.id):
                raise RotationFailed("The new key was revoked before it was used.")

    async def put_back(self, job: RotationJob, current: bytes, new: bytes) -> None:
        """Revoke the new key, if it was issued."""
        async with self._database.platform() as session:
            if await keys.find(session, _split(new)[0]) is not None:
                await service.revoke(
                    session,
                    _actor(await _held(session, job, current)),
                    await _held(session, job, new),
                    with_issued=False,
                )

    async def revoke(self, job: RotationJob, current: bytes, old: bytes) -> None:
        """Revoke the old key, and leave those that it has issued."""
        async with self._database.platform() as session:
            actor = _actor(await _held(session, job, current))
            await service.revoke(session, actor, await _held(session, job, old), with_issued=False)

    def subject(self, value: bytes) -> Hashable:
        """Return the id of the key."""
        return _split(value)[0]


def _split(value: bytes) -> tuple[str, str]:
    found = split_token(value.decode(errors="replace").strip())
    if found is None:
        raise RotationFailed("The value is not an API key of Bursar. Store one that begins with bsk_.")
    return found


async def _held(session: AsyncSession, job: RotationJob, value: bytes) -> ApiKey:
    """Return the key of a value. The secret is checked, because the id of another key must not be enough."""
    key_id, secret = _split(value)
    row = await keys.find(session, key_id)
    if row is None or row.org_id != job.org_id or not hmac.compare_digest(row.secret_hash or b"", hash_of(secret)):
        raise RotationFailed("The value is not an API key of this organization.")
    return row


def _actor(key: ApiKey) -> Actor:
    return Actor(principal=key.principal, role=Role(key.role), org_id=key.org_id, agent_id=key.agent_id, key_id=key.id)
