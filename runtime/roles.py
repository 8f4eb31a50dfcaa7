"""Gives the login roles of a deployment the passwords that its database URLs hold.

Migrations make `bursar_api` and `bursar_platform` without a password, and `bursar_reader` without a login. `manage
roles` connects as the owner, sets the passwords, and makes the login of a reporting tool, a member of `bursar_reader`.
It may be run any number of times, and changes a password that the environment has changed. PostgreSQL gets the SCRAM
verifier only, so the password appears neither in its log nor on the network.

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

LOGIN_ROLES = frozenset({"bursar_api", "bursar_platform"})
#: Holds what reporting tools may read; their login is a member of it, whose sessions begin with these limits.
READER = "bursar_reader"
LIMITS = {"default_transaction_read_only": "on", "statement_timeout": "30s"}
ITERATIONS = 4096
#: Session defaults that decide which tables a name means and which rows are visible; others are the operator's choice.
RESET_SETTINGS = frozenset({"search_path", "role", "row_security", "bursar.org_id"})

_OWN_SETTINGS = """
SELECT r.rolname::regrole::text AS role, quote_ident(d.datname) AS database, split_part(c, '=', 1) AS setting
FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole LEFT JOIN pg_database d ON d.oid = s.setdatabase,
    unnest(s.setconfig) c
WHERE r.rolname = ANY ($1) AND split_part(c, '=', 1) = ANY ($2) OR r.rolname = $3 AND c <> ALL ($4) ORDER BY 1, 2, 3
"""
_IS_MEMBER = """
SELECT r.rolname <> current_user AND EXISTS (
    SELECT FROM pg_auth_members m WHERE m.member = r.oid AND m.roleid = to_regrole($2) AND m.inherit_option
) FROM pg_roles r WHERE r.rolname = $1
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


async def reset_own_settings(settings: Settings) -> list[str]:
    """Undo changes that login roles made to themselves, and return a line for each.

    A password that differs from its URL's is reported; `set_passwords` sets it. Only a superuser can read it.
    """
    connection = await asyncpg.connect(settings.migration_database_url)
    changes = []
    try:
        reader, limits = make_url(settings.reader_database_url).username, [f"{name}={LIMITS[name]}" for name in LIMITS]
        for row in await connection.fetch(_OWN_SETTINGS, sorted(LOGIN_ROLES), sorted(RESET_SETTINGS), reader, limits):
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
    own = map(make_url, (settings.database_url, settings.platform_database_url))
    return [*(url for url in own if url.username in LOGIN_ROLES), make_url(settings.reader_database_url)]


async def _differs(connection: "asyncpg.Connection[asyncpg.Record]", role: str, password: str) -> bool:
    try:
        stored = await connection.fetchval("SELECT rolpassword FROM pg_authid WHERE rolname = $1", role)
    except asyncpg.InsufficientPrivilegeError:
        return False
    found = re.match(rf"SCRAM-SHA-256[$]{ITERATIONS}:([^$]+)[$]", stored or "")
    if stored is None:
        return False  # none was set yet
    return found is None or scram_verifier(password, base64.b64decode(found.group(1))) != stored


async def make_reader(connection: "asyncpg.Connection[asyncpg.Record]", login: str) -> None:
    """Make a login that reads what `bursar_reader` may, and set the limits of its sessions; one that is there is kept.

    Raises:
        ValueError: there is a role of this name that is no member of `bursar_reader`.
    """
    is_member = await connection.fetchval(_IS_MEMBER, login, READER)
    if is_member is False or login == READER:
        raise ValueError(
            f"BURSAR_READER_DATABASE_URL names {login}, which is no login for reporting tools. Name a role that is not "
            f"there yet, such as bursar_reports, or one that is a member of {READER}."
        )
    name = await connection.fetchval("SELECT quote_ident($1)", login)
    if is_member is None:
        await connection.execute(f"CREATE ROLE {name} LOGIN; GRANT {READER} TO {name} WITH INHERIT TRUE, SET FALSE")
    for setting, value in LIMITS.items():
        await connection.execute(f"ALTER ROLE {name} SET {setting} = '{value}'")
    # No template and no dump of a database has its rights.
    database = await connection.fetchval("SELECT quote_ident(current_database())")
    await connection.execute(f"REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC")


async def set_passwords(settings: Settings) -> list[str]:
    """Set the password of each login role whose URL has one; return the names of those roles.

    Raises:
        ValueError: as for `make_reader`.
    """
    connection = await asyncpg.connect(settings.migration_database_url)
    changed = []
    try:
        for url in _login_urls(settings):
            if url.password:
                login, verifier = str(url.username), scram_verifier(url.password, secrets.token_bytes(16))
                if login not in LOGIN_ROLES:
                    await make_reader(connection, login)
                name = await connection.fetchval("SELECT quote_ident($1)", login)
                await connection.execute(f"ALTER ROLE {name} PASSWORD '{verifier}'")
                changed.append(login)
    finally:
        await connection.close()
    return changed
