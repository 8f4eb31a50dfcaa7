"""Rotates the password of a PostgreSQL login: two roles alternate, so that the one before stays usable.

PostgreSQL gets a SCRAM verifier that is computed here, so no password is in its log. Roles are never made: they exist,
with the same rights, and belong to this secret alone.
"""

import json
import secrets
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager
from typing import Any, Literal

import asyncpg
import certifi

from domain.common.errors import Unavailable
from domain.messages.webhook.address import Target, UrlRefused
from domain.secrets.rotation import RotationFailed, TargetRefused
from domain.secrets.rotation_plan import host_of
from providers.secrets.rotators.base import ReceiversOf, RotationJob

#: The timeout of a connection and of a statement, in seconds.
TIMEOUT = 15.0
#: Classes of SQLSTATE that a later try may not meet: connection, resources, operator's intervention.
_PASSING = ("08", "53", "57")


class _Named(ssl.SSLContext):
    """Checks a certificate for the host that was named, although the connection is made to its address."""

    name: str

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,  # noqa: ARG002
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """Wrap a connection, for the name."""
        return super().wrap_bio(incoming, outgoing, server_side, self.name, session)


class PostgresRotator:
    """Rotates the password of a PostgreSQL login.

    The target has `host`, `port`, `database`, `roles` (two names), and `admin`, the path of the login that may change
    their passwords.
    """

    def __init__(
        self, receivers: ReceiversOf, verifier: Callable[[str, bytes], str], *, roots: str | None = None
    ) -> None:
        """Take who judges addresses, what computes a SCRAM verifier, and a file of roots; by default certifi's."""
        self._receivers = receivers
        self._verifier = verifier
        self._roots = roots or certifi.where()

    async def make(self, job: RotationJob, current: bytes) -> bytes:
        """Return the login of the role that is not in use, with a new password."""
        used, roles = self.subject(current), job.target["roles"]
        if used not in roles:
            raise RotationFailed(f"The current login is none of the roles {' and '.join(roles)}. Store one of theirs.")
        role = next(each for each in roles if each != used)
        return json.dumps({"username": role, "password": secrets.token_urlsafe(32)}).encode()

    async def apply(self, job: RotationJob, current: bytes, new: bytes) -> None:  # noqa: ARG002
        """Set the password of the role that was not in use."""
        login = json.loads(new)
        await self._set(job, login["username"], self._verifier(login["password"], secrets.token_bytes(16)))

    async def test(self, job: RotationJob, new: bytes) -> None:
        """Log in with it."""
        login = json.loads(new)
        async with self._connected(job, login, "log in with the new password") as connection:
            await connection.fetchval("SELECT 1")

    async def put_back(self, job: RotationJob, current: bytes, new: bytes) -> None:
        """Take the password from the role that was not in use; the current one was not touched."""
        await self.revoke(job, current, new)

    async def revoke(self, job: RotationJob, current: bytes, old: bytes) -> None:  # noqa: ARG002
        """Take the password from a role; its open connections stay."""
        await self._set(job, json.loads(old)["username"], None)

    def subject(self, value: bytes) -> Hashable:
        """Return the role."""
        try:
            username: object = json.loads(value)["username"]
        except (ValueError, KeyError, TypeError):
            raise RotationFailed("The value is no login. Store JSON with username and password.") from None
        return username if isinstance(username, str) else None

    async def _set(self, job: RotationJob, role: str, verifier: str | None) -> None:
        admin = json.loads(await job.read(job.target["admin"], host_of(job.target)))
        if admin["username"] in job.target["roles"]:
            raise RotationFailed("The role that changes passwords must not be one of those that alternate.")
        async with self._connected(job, admin, "change the password of a role") as connection:
            quoted = await connection.fetchval("SELECT pg_catalog.quote_ident($1)", role)
            password = "NULL" if verifier is None else f"'{verifier}'"
            await connection.execute(f"ALTER ROLE {quoted} PASSWORD {password}")

    @asynccontextmanager
    async def _connected(self, job: RotationJob, login: dict[str, str], what: str) -> AsyncIterator[Any]:
        target = job.target
        try:
            host, context = await self._judged(job)
            connection = await asyncpg.connect(
                host=host,
                port=target["port"],
                user=login["username"],
                password=login["password"],
                database=target["database"],
                ssl=context,
                timeout=TIMEOUT,
                command_timeout=TIMEOUT,
                server_settings={"application_name": "bursar-rotation"},
            )
            try:
                yield connection
            finally:
                await connection.close(timeout=TIMEOUT)
        except UrlRefused as refused:
            raise RotationFailed(f"Bursar could not {what}: {refused.detail}") from None
        except asyncpg.PostgresError as error:
            if (error.sqlstate or "08").startswith(_PASSING):
                raise Unavailable(f"Bursar could not {what}: PostgreSQL answered {error.sqlstate}.") from None
            # Only the code: a message may repeat what was sent.
            raise TargetRefused(
                f"Bursar could not {what}: PostgreSQL answered {error.sqlstate} ({type(error).__name__})."
            ) from None
        except (OSError, TimeoutError, asyncpg.InterfaceError) as error:
            raise Unavailable(f"Bursar could not {what}: {type(error).__name__}.") from None

    async def _judged(self, job: RotationJob) -> tuple[str, ssl.SSLContext | Literal["prefer"]]:
        """Return what to connect to: an address that was judged, with a certificate for the name; inside, the name."""
        host, receivers = job.target["host"], self._receivers(job.org_id)
        target = Target(is_local=False, host=host, port=job.target["port"], path="/")
        if target.authority in receivers.inside:
            return host, "prefer"
        try:
            found = await receivers.addresses(target)
        except socket.gaierror:
            raise Unavailable(f"The host {host} cannot be resolved now.") from None
        context = _Named(ssl.PROTOCOL_TLS_CLIENT)
        context.name = host
        context.load_verify_locations(self._roots)
        return str(found[0]), context
