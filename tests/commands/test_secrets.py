"""`manage secrets`: keys move to the present key in pages, and a changed log of access is found."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import asyncpg
import pytest
from sqlalchemy import select
from sqlalchemy.pool import QueuePool

from commands.secrets import rewrap
from dev.sandbox.vault.app import KEY, Vault, build
from domain.secrets.access import AccessVerb
from manage import main
from models.secrets.access import SecretAccess
from models.secrets.secret import SecretVersion
from providers.secrets.base import BackendUnavailable, ValueLocation, Wrapped
from providers.secrets.registry import SecretBackends
from providers.secrets.sealing import LocalKeyWrapper, PostgresBackend
from runtime.database import Database
from services.secrets import access, secret
from tests.conftest import DatabaseUrls
from tests.support.sandboxes import serving
from tests.support.secrets import NOW, Vaulted

pytestmark = pytest.mark.db
OLD, NEW = ("rewrap-old", b"o" * 32), ("rewrap-new", b"n" * 32)


class Watched(LocalKeyWrapper):
    """Wraps under the new key and opens by both; before the wrap of a number, what else happens does."""

    def __init__(self, database: Database, *, then: Mapping[int, Callable[[], Awaitable[None]]] | None = None) -> None:
        super().__init__([NEW, OLD])
        self.pool, self.then, self.wraps = database.platform_engine.pool, then or {}, 0

    async def wrap(self, key: bytes, place: ValueLocation) -> Wrapped:
        assert isinstance(self.pool, QueuePool)
        assert self.pool.checkedout() == 0, "a transaction is open during a call to the outside"
        self.wraps += 1
        if self.wraps in self.then:
            await self.then[self.wraps]()
        return await super().wrap(key, place)


@pytest.fixture(scope="module")
async def own(module_database_urls: DatabaseUrls) -> AsyncIterator[Database]:
    """A database without the keys of other tests, which would be on the pages too."""
    database = Database(module_database_urls.tenant, module_database_urls.platform)
    yield database
    await database.close()


@pytest.fixture
async def org(own: Database) -> Vaulted:
    """An organization with five secrets under the old key."""
    made = await Vaulted.of(own)
    made.secrets = SecretBackends({"postgres": PostgresBackend(LocalKeyWrapper([OLD]))})
    for number in range(5):
        await made.put(f"api_keys/k{number}", f"value {number}".encode())
    return made


async def key_ids(org: Vaulted) -> list[str | None]:
    async with org.database.platform() as session:
        query = select(SecretVersion.key_id).where(SecretVersion.org_id == org.org_id)
        return list(await session.scalars(query.order_by(SecretVersion.secret_id)))


async def values(org: Vaulted, *keys: tuple[str, bytes]) -> list[bytes]:
    secrets = SecretBackends({"postgres": PostgresBackend(LocalKeyWrapper(keys))})
    opened = [await org.open(path=f"api_keys/k{number}", verb=AccessVerb.CHECK) for number in range(5)]
    return [await each.value(secrets) for each in opened]


async def test_every_key_moves_and_values_open_by_the_new_key_alone(org: Vaulted):
    assert (await rewrap(org.database, Watched(org.database), page=2)).done == 5
    assert await key_ids(org) == [NEW[0]] * 5
    async with org.database.platform() as session:
        entries = select(SecretAccess.number).where(SecretAccess.org_id == org.org_id)
        assert list(await session.scalars(entries)) == []
    assert await values(org, NEW) == [f"value {number}".encode() for number in range(5)]


async def test_interrupted_move_keeps_its_pages_and_the_next_one_completes_it(org: Vaulted):
    async def away() -> None:
        raise BackendUnavailable("Away.")

    # The first one is thrown away; then a page of two, and one of the next.
    with pytest.raises(BackendUnavailable):
        await rewrap(org.database, Watched(org.database, then={5: away}), page=2)
    assert await key_ids(org) == [NEW[0]] * 2 + [OLD[0]] * 3
    assert (await rewrap(org.database, Watched(org.database), page=2)).done == 3
    assert (await rewrap(org.database, Watched(org.database), page=2)).done == 0
    assert await values(org, NEW) == [f"value {number}".encode() for number in range(5)]


async def test_concurrent_change_wins(org: Vaulted):
    async def meanwhile() -> None:
        async with org.database.platform() as session:
            first = (await session.scalars(select(SecretVersion).where(SecretVersion.org_id == org.org_id))).first()
            assert first is not None
            await secret.destroy(session, org.owner, first.secret_id, 1, now=NOW)
        assert (await rewrap(org.database, Watched(org.database))).done == 4

    result = await rewrap(org.database, Watched(org.database, then={3: meanwhile}))
    assert (result.done, result.passed) == (0, 5)
    ids = await key_ids(org)
    assert (ids.count(None), ids.count(NEW[0])) == (1, 4)


async def test_moving_to_vault_moves_keys_and_says_which_it_cannot_unwrap(
    fresh_database_urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    database = Database(fresh_database_urls.tenant, fresh_database_urls.platform, pool_size=1)
    org = await Vaulted.of(database)
    for path, key in (("api_keys/a", OLD), ("api_keys/b", NEW)):
        org.secrets = SecretBackends({"postgres": PostgresBackend(LocalKeyWrapper([key]))})
        await org.put(path)
    vault = Vault()
    with serving(build(vault)) as url:
        settings = {
            "DATABASE_URL": fresh_database_urls.tenant,
            "PLATFORM_DATABASE_URL": fresh_database_urls.platform,
            "SECRET_KEYS": f"{OLD[0]}:{base64.b64encode(OLD[1]).decode()}",
            "SECRET_WRAPPER": "vault",
            "VAULT_URL": url,
            "VAULT_ROLE_ID": vault.role_id,
            "VAULT_SECRET_ID": vault.secret_id,
            "VAULT_TRANSIT_KEY": KEY,
        }
        for name, value in settings.items():
            monkeypatch.setenv(f"BURSAR_{name}", value)
        assert await asyncio.to_thread(main, ["secrets", "rewrap"]) == 1
        printed = capsys.readouterr().out
        assert "Keys rewrapped: 1; changed meanwhile: 0." in printed
        assert f"version 1, by the key {NEW[0]}: The key {NEW[0]} is missing." in printed
        assert sorted(str(each) for each in await key_ids(org)) == [NEW[0], "vault:bursar:v1"]
        vault.is_sealed = True
        assert await asyncio.to_thread(main, ["secrets", "rewrap"]) == 2
        assert "Vault is sealed" in capsys.readouterr().err
    await database.close()


async def test_changed_entry_of_the_access_log_ends_verify_with_one(
    fresh_database_urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("BURSAR_DATABASE_URL", fresh_database_urls.tenant)
    monkeypatch.setenv("BURSAR_PLATFORM_DATABASE_URL", fresh_database_urls.platform)
    database = Database(fresh_database_urls.tenant, fresh_database_urls.platform, pool_size=1)
    org = await Vaulted.of(database)
    await org.put()
    await org.open(verb=AccessVerb.CHECK)
    sealed = 0
    while not sealed:
        # A transaction of another test, that is open just now, holds the entry back.
        async with database.platform() as session:
            sealed = (await access.seal(session, limit=10, now=NOW)).count
    await database.close()
    assert await asyncio.to_thread(main, ["secrets", "verify"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("Sealed entries of the access log, all unchanged: 1; not sealed yet: 0.\nSeal 1: ")
    owner = await asyncpg.connect(fresh_database_urls.owner.replace("+asyncpg", ""))
    await owner.execute("SET session_replication_role = replica")
    await owner.execute("UPDATE secret_access SET purpose = 'Another'")
    await owner.close()
    assert await asyncio.to_thread(main, ["secrets", "verify"]) == 1
    assert capsys.readouterr().out.startswith("Seal 1 does not follow from its entries")
