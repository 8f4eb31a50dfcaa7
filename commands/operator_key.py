"""`manage operator-key`: creates an operator's key, such as the first one of an installation.

The key is written into the database of `BURSAR_PLATFORM_DATABASE_URL` and printed once. The key of an existing secret
file is inserted if missing, so the command can be repeated; if the file does not exist, the new key is written to it
(mode 600) instead of being printed.
"""

import argparse
import asyncio
import os
import sys
from pathlib import Path

from api.bootstrap import operator_key
from commands.base import asking_the_database
from commands.failure import CommandFailed
from domain.common.errors import DomainError
from runtime.database import Database
from runtime.settings import read_settings


def run(given: argparse.Namespace) -> int:
    """Print the key, or write it to the file; the status is 1 if it is refused."""
    file: Path | None = given.secret_file
    known = _read(file)
    try:
        token = asyncio.run(_made(given.principal, file, known))
    except DomainError as error:
        raise CommandFailed(error.detail, status=1) from error
    if file is None:
        sys.stdout.write(token + "\n")
    return 0


async def _made(principal: str, secret_file: Path | None, known: str | None) -> str:
    """Create the key, write it to the file if given, and return it."""
    settings = read_settings()
    database = Database(settings.database_url, settings.platform_database_url, pool_size=1)
    try:
        with asking_the_database():
            async with database.platform() as session:
                token = await operator_key(session, principal, known)
                if secret_file is not None and known is None:
                    # Before the commit: a key that was not shown must not stay in the database.
                    _write(secret_file, token)
    finally:
        await database.close()
    return token


def _read(secret_file: Path | None) -> str | None:
    """Return the content of the file; None if it does not exist."""
    try:
        return secret_file.read_text("utf-8").strip() if secret_file is not None and secret_file.exists() else None
    except (OSError, UnicodeDecodeError) as error:
        raise CommandFailed(f"The secret file cannot be read: {error}") from error


def _write(secret_file: Path, token: str) -> None:
    try:
        descriptor = os.open(secret_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise CommandFailed(f"The secret file cannot be written: {error}") from error
    with os.fdopen(descriptor, "w") as file:
        file.write(token + "\n")
