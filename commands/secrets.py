"""`manage secrets`: wraps the keys of versions anew, or proves the log of access. No value is opened by either."""

import argparse
import asyncio
import sys
from dataclasses import dataclass, field

from commands.base import asking_the_database
from commands.failure import CommandFailed
from composition import make_secrets
from providers.secrets.base import BackendUnavailable, KeyWrapper, Unopened, ValueLocation, Wrapped
from providers.secrets.registry import SecretBackends
from providers.secrets.sealing import PostgresBackend
from repositories.secrets import secret
from runtime.database import Database
from runtime.settings import Settings, read_settings
from services.secrets import access

#: How many keys one transaction changes.
PAGE = 100
#: How many keys that could not be unwrapped are named.
SHOWN = 20


@dataclass
class RewrapResult:
    """What became of keys: how many were wrapped anew, changed meanwhile, and which could not be unwrapped, and why."""

    done: int = 0
    passed: int = 0
    unopened: list[str] = field(default_factory=list)


async def rewrap(database: Database, wrapper: KeyWrapper, *, page: int = PAGE) -> RewrapResult:
    """Wrap every key of a version that is not under the present key anew, page by page."""
    # What a throw-away key is wrapped by is the present key, whichever wrapper it is.
    present = (await wrapper.wrap(bytes(32), ValueLocation("", "", 0))).key_id
    result, after = RewrapResult(), ("", 0)
    while True:
        async with database.platform() as session:
            rows = await secret.wrapped_keys(session, present, after=after, limit=page)
        if not rows:
            return result
        changed = [(row, key) for row in rows if (key := await _wrapped_anew(wrapper, row, result)) is not None]
        async with database.platform() as session:
            # In their order, as two runs at once would take them.
            for row, key in changed:
                if await secret.rewrap(session, row, key_id=key.key_id, wrapped_key=key.wrapped):
                    result.done += 1
                else:
                    result.passed += 1
        after = (rows[-1].secret_id, rows[-1].number)


async def _wrapped_anew(wrapper: KeyWrapper, row: secret.WrappedRow, result: RewrapResult) -> Wrapped | None:
    place = ValueLocation(row.org_id, row.path, row.number)
    try:
        return await wrapper.wrap(await wrapper.unwrap(Wrapped(row.key_id, row.wrapped_key), place), place)
    except Unopened as why:
        result.unopened.append(f"{row.secret_id} version {row.number}, by the key {row.key_id}: {why}")
        return None


def run(given: argparse.Namespace) -> int:
    settings = read_settings()
    with asking_the_database():
        return asyncio.run(_act(settings, given.action))


async def _act(settings: Settings, action: str) -> int:
    database = Database(settings.database_url, settings.platform_database_url, pool_size=1)
    try:
        return await (_verify(database) if action == "verify" else _rewrap(database, settings))
    finally:
        await database.close()


async def _verify(database: Database) -> int:
    async with database.repeatable_read(None) as session:
        found = await access.verify(session)
    sys.stdout.writelines(f"{problem}\n" for problem in found.problems)
    if found.problems:
        return 1
    sys.stdout.write(
        f"Sealed entries of the access log, all unchanged: {found.entries}; not sealed yet: {found.unsealed}.\n"
        f"Seal {found.seals}: {found.hash.hex()}\n"
    )
    return 0


async def _rewrap(database: Database, settings: Settings) -> int:
    secrets = make_secrets(settings)
    try:
        result = await rewrap(database, _wrapper(secrets))
    except BackendUnavailable as error:
        raise CommandFailed(f"{error.detail} What was rewrapped stays. Run it again.") from error
    finally:
        await secrets.aclose()
    sys.stdout.write(f"Keys rewrapped: {result.done}; changed meanwhile: {result.passed}.\n")
    for line in result.unopened[:SHOWN]:
        sys.stdout.write(f"not unwrapped: {line}\n")
    if len(result.unopened) > SHOWN:
        sys.stdout.write(f"and {len(result.unopened) - SHOWN} more\n")
    return 1 if result.unopened else 0


def _wrapper(secrets: SecretBackends) -> KeyWrapper:
    backend = secrets.backends.get(PostgresBackend.name)
    if not isinstance(backend, PostgresBackend):
        raise CommandFailed("Nothing wraps keys here. Set BURSAR_SECRET_KEYS or BURSAR_ENCRYPTION_KEYS, or Vault.")
    return backend.wrapper
