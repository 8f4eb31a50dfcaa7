"""Gives the login roles of a deployment the passwords that its database URLs hold.

Migrations make `bursar_api`, `bursar_platform` and `bursar_reader` without a password. `manage roles` connects as the
owner and sets them; it may be run any number of times, and changes a password that the environment has changed.
PostgreSQL gets the SCRAM verifier only, so the password appears neither in its log nor on the network.

PostgreSQL lets every role change its own password and its session defaults, and cannot forbid it. So both are reset,
and changes are reported. If roles log in by certificate, a password is of no use.
"""

import base64
import hashlib
import hmac
import re
import secrets

import asyncpg
from sqlalchemy.engine import URL, make_url

from runtime.settings import Settings

LOGIN_ROLES = frozenset({"bursar_api", "bursar_platform", "bursar_reader"})
ITERATIONS = 4096
#: Session defaults that decide which tables a name means and which rows are visible; others are the operator's choice.
PUT_BACK = frozenset({"search_path", "role", "row_security", "bursar.org_id"})

_OWN_SETTINGS = """
SELECT r.rolname::regrole::text AS role, quote_ident(d.datname) AS database, split_part(c, '=', 1) AS setting
FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole LEFT JOIN pg_database d ON d.oid = s.setdatabase,
    unnest(s.setconfig) c
WHERE r.rolname = ANY ($1) AND split_part(c, '=', 1) = ANY ($2) ORDER BY 1, 2, 3
"""


def scram_verifier(password: str, salt: bytes) -> str:
    """Return what PostgreSQL stores for a password: RFC 5802 with SHA-256, as `pg_authid.rolpassword` has it.

    Raises:
        ValueError: the password has a character outside of printable ASCII, which SCRAM would normalise first.
    """
    if not (password.isascii() and password.isprintable()):
        raise ValueError("A database password must have printable ASCII characters only.")
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    words = (base64.b64encode(part).decode() for part in (salt, stored, server))
    return "SCRAM-SHA-256${}:{}${}:{}".format(ITERATIONS, *words)


async def put_back(settings: Settings) -> list[str]:
    """Undo changes that login roles made to themselves, and return a line for each.

    A password that differs from its URL's is reported; `set_passwords` sets it. Only a superuser can read it.
    """
    connection = await asyncpg.connect(settings.migration_database_url)
    changes = []
    try:
        for row in await connection.fetch(_OWN_SETTINGS, sorted(LOGIN_ROLES), sorted(PUT_BACK)):
            where = f" IN DATABASE {row['database']}" if row["database"] else ""
            await connection.execute(f"ALTER ROLE {row['role']}{where} RESET {row['setting']}")
            changes.append(f"{row['role']} had set {row['setting']}{where.lower()}: put back")
        for url in _login_urls(settings):
            if url.username and url.password and await _differs(connection, url.username, url.password):
                changes.append(f"{url.username} had a password that differs from its URL")
    finally:
        await connection.close()
    return changes


def _login_urls(settings: Settings) -> list[URL]:
    texts = (settings.database_url, settings.platform_database_url, settings.reader_database_url)
    return [url for url in map(make_url, texts) if url.username in LOGIN_ROLES]


async def _differs(connection: "asyncpg.Connection[asyncpg.Record]", role: str, password: str) -> bool:
    try:
        stored = await connection.fetchval("SELECT rolpassword FROM pg_authid WHERE rolname = $1", role)
    except asyncpg.InsufficientPrivilegeError:
        return False
    found = re.match(rf"SCRAM-SHA-256[$]{ITERATIONS}:([^$]+)[$]", stored or "")
    if stored is None:
        return False  # none was set yet
    return found is None or scram_verifier(password, base64.b64decode(found.group(1))) != stored


async def set_passwords(settings: Settings) -> list[str]:
    """Set the password of each login role whose URL has one; return the names of those roles."""
    connection = await asyncpg.connect(settings.migration_database_url)
    changed = []
    try:
        for url in _login_urls(settings):
            if url.password:
                verifier = scram_verifier(url.password, secrets.token_bytes(16))
                await connection.execute(f"ALTER ROLE {url.username} PASSWORD '{verifier}'")
                changed.append(str(url.username))
    finally:
        await connection.close()
    return changed
