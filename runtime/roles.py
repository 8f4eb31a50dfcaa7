"""Gives the login roles of a deployment the passwords that its database URLs hold.

The first migration makes `bursar_api` and `bursar_platform` without a password. `python -m runtime.roles` connects as
the owner and sets them; it may be run any number of times, and changes a password that the environment has changed.
PostgreSQL is sent the SCRAM verifier only, so neither its log nor anybody on the way learns the password.
"""

import asyncio
import base64
import hashlib
import hmac
import secrets
import sys

import asyncpg
from sqlalchemy.engine import make_url

from runtime.settings import Settings, ended_by_wrong_settings, read_settings

LOGIN_ROLES = frozenset({"bursar_api", "bursar_platform"})
ITERATIONS = 4096


def scram_verifier(password: str, salt: bytes) -> str:
    """Return what PostgreSQL stores for a password: RFC 5802 with SHA-256, as `pg_authid.rolpassword` has it.

    Raises:
        ValueError: the password has a character outside of printable ASCII, which SCRAM would normalise first.
    """
    if not (password.isascii() and password.isprintable()):
        raise ValueError("A database password may have printable ASCII characters only.")
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    words = (base64.b64encode(part).decode() for part in (salt, stored, server))
    return "SCRAM-SHA-256${}:{}${}:{}".format(ITERATIONS, *words)


async def set_passwords(settings: Settings) -> list[str]:
    """Set the password of each login role whose URL has one; return the names of those roles."""
    connection = await asyncpg.connect(settings.migration_database_url)
    changed = []
    try:
        for text in (settings.database_url, settings.platform_database_url):
            url = make_url(text)
            if url.username in LOGIN_ROLES and url.password:
                verifier = scram_verifier(url.password, secrets.token_bytes(16))
                await connection.execute(f"ALTER ROLE {url.username} PASSWORD '{verifier}'")
                changed.append(url.username)
    finally:
        await connection.close()
    return changed


def main() -> int:
    """Set the passwords of the environment and name the roles that got one."""
    changed = asyncio.run(set_passwords(read_settings()))
    sys.stdout.write(f"passwords set: {', '.join(changed) or 'none'}\n")
    return 0


if __name__ == "__main__":
    with ended_by_wrong_settings():
        raise SystemExit(main())
