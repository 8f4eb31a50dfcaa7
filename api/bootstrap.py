"""Makes the first operator key of an installation, from the machine that runs it.

`python -m api.bootstrap operator-key --principal root [--secret-file F]` writes the key into the database of
`BURSAR_PLATFORM_DATABASE_URL` and prints it, once. With a secret file that exists, its key is put into the database if
it is not there, so the command can be repeated; with one that does not exist, the new key is written to it (mode 600)
instead of being printed.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncSession

from api.keyring import hash_of, new_secret, split_token, token_of
from domain.access import Actor, Role
from domain.errors import Conflict, DomainError, Invalid
from models.api_key import ApiKey
from repositories import api_key as keys
from repositories import audit
from runtime.database import Database
from runtime.identity import new_id
from runtime.settings import ended_by_wrong_settings, read_settings


async def operator_key(session: AsyncSession, principal: str, token: str | None = None) -> str:
    """Return an operator's key that is in the database: the given one, or a new one.

    Raises:
        Invalid: the given text is no key.
        Conflict: `principal.exists`, the principal has another key; or the given key is revoked or not an operator's.
    """
    parts = split_token(token) if token is not None else (new_id("key"), new_secret())
    if parts is None:
        raise Invalid("The secret file does not hold a key of the form bsk_….")
    key_id, secret = parts
    known = await session.get(ApiKey, key_id)
    if known is not None:
        if known.revoked_at is not None or known.role != Role.OPERATOR or known.secret_hash != hash_of(secret):
            raise Conflict(f"The key {key_id} is revoked, or is not this operator's key.")
        return token_of(key_id, secret)
    row = await keys.add(
        session,
        ApiKey(
            id=key_id,
            org_id=None,
            principal=principal,
            role=Role.OPERATOR.value,
            agent_id=None,
            secret_hash=hash_of(secret),
            created_by="bootstrap",
            command_id=f"bootstrap:{key_id}",
            expires_at=None,
        ),
        most=1,
    )
    actor = Actor(principal="bootstrap", role=Role.OPERATOR)
    await audit.record(session, actor, "api_key.create", row.id, {"principal": principal, "role": row.role})
    return token_of(row.id, secret)


async def _run(principal: str, secret_file: Path | None, given: str | None) -> str:
    """Return the key, after it was written to the file where there is one to write."""
    settings = read_settings()
    database = Database(settings.database_url, settings.platform_database_url, pool_size=1)
    try:
        async with database.platform() as session:
            token = await operator_key(session, principal, given)
            if secret_file is not None and given is None:
                # Before the commit: a key that nobody can know must not stay in the database.
                descriptor = os.open(secret_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(descriptor, "w") as file:
                    file.write(token + "\n")
    finally:
        await database.close()
    return token


def main(arguments: Sequence[str]) -> int:
    """Run the command; the exit code is 1 when the key cannot be made."""
    parser = argparse.ArgumentParser(prog="python -m api.bootstrap", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("operator-key", help="make an operator's key")
    command.add_argument("--principal", default="root", help="the operator's name")
    command.add_argument("--secret-file", type=Path, help="where the key is, or is put")
    options = parser.parse_args(arguments)
    try:
        file: Path | None = options.secret_file
        given = file.read_text("utf-8").strip() if file is not None and file.exists() else None
        token = asyncio.run(_run(options.principal, file, given))
    except DomainError as error:
        sys.stderr.write(f"{error.detail}\n")
        return 1
    if file is None:
        sys.stdout.write(token + "\n")
    return 0


if __name__ == "__main__":
    with ended_by_wrong_settings():
        raise SystemExit(main(sys.argv[1:]))
