"""The rotator of PostgreSQL logins, against a PostgreSQL that asks for passwords."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from dev.sandbox.paypal.certificates import make_chain
from dev.stack.postgres import Postgres as Cluster, running_postgres
from domain.common.errors import Unavailable
from domain.secrets.rotation import RotationFailed, TargetRefused
from providers.judged import Receivers
from providers.secrets.rotators.base import RotationJob
from providers.secrets.rotators.postgres import PostgresRotator
from runtime.roles import scram_verifier
from tests.support.servers import reachable_directory

ADMIN = b'{"username": "rotator", "password": "admin-password"}'
NAME = "db.example.com"


@pytest.fixture(scope="module")
def server() -> Iterator[Cluster]:
    """A PostgreSQL that asks everybody but its superuser for a password, and logs every statement."""
    with reachable_directory("rotator") as folder:
        access = folder / "access"
        access.write_text("local all postgres trust\nlocal all all scram-sha-256\n")
        access.chmod(0o644)
        settings = {"fsync": "off", "hba_file": str(access), "log_statement": "all"}
        with running_postgres(folder / "pg", settings) as cluster:
            cluster.execute("CREATE ROLE rotator LOGIN CREATEROLE PASSWORD 'admin-password'")
            for role in ('"App A"', "app_b"):
                cluster.execute(f"CREATE ROLE {role} LOGIN; GRANT {role} TO rotator WITH ADMIN OPTION")
            yield cluster


def job(
    host: str, *, admin: bytes = ADMIN, port: int = 5432, roles: tuple[str, str] = ("App A", "app_b")
) -> RotationJob:
    async def read(path: str, to: str) -> bytes:
        assert (path, to) == ("access_credentials/rotator", f"{host.lower()}:{port}")
        return admin

    target = {"host": host, "port": port, "database": "postgres", "roles": roles, "admin": "access_credentials/rotator"}
    names = {"org_id": "org_1", "secret_id": "sec_1", "path": "access_credentials/app", "kind": "login"}
    return RotationJob(**names, hosts=(), number=2, target=target, read=read)


def rotator(host: str) -> PostgresRotator:
    """Return a rotator that `org_1` may have at one port of a host inside the network."""
    return PostgresRotator(
        lambda org_id: Receivers(inside=[f"{host}:5432"] if org_id == "org_1" else ()), scram_verifier
    )


def login(username: str, password: str = "first") -> bytes:
    return json.dumps({"username": username, "password": password}).encode()


async def opens(server: Cluster, value: bytes) -> bool:
    given = json.loads(value)
    try:
        connection = await asyncpg.connect(
            host=str(server.socket_dir), user=given["username"], password=given["password"], database="postgres"
        )
    except asyncpg.InvalidPasswordError:
        return False
    await connection.close()
    return True


@pytest.mark.db
async def test_two_roles_alternate_and_the_one_before_works_until_it_is_revoked(server):
    host = str(server.socket_dir)
    one, at = rotator(host), job(host)
    first = login("App A")
    server.execute("ALTER ROLE \"App A\" PASSWORD 'first'")
    values = [first]
    for username in ("app_b", "App A", "app_b"):
        current, new = values[-1], await one.make(at, values[-1])
        assert json.loads(new)["username"] == username
        with pytest.raises(TargetRefused, match="could not log in with the new password: PostgreSQL answered 28P01"):
            await one.test(at, new)
        for _ in range(2):  # an attempt whose answer was lost is repeated
            await one.apply(at, current, new)
        await one.test(at, new)
        assert await opens(server, current)
        for _ in range(2):
            await one.revoke(at, new, current)
        assert not await opens(server, current)
        assert await opens(server, new)
        values.append(new)
    log = server.log_file.read_text()
    assert "PASSWORD 'SCRAM-SHA-256$" in log
    for value in values[1:]:
        assert json.loads(value)["password"] not in log


@pytest.mark.db
async def test_a_failed_rotation_is_restored_and_leaves_the_current_login(server):
    host = str(server.socket_dir)
    one, at = rotator(host), job(host)
    server.execute("ALTER ROLE app_b PASSWORD 'first'")
    current = login("app_b")
    new = await one.make(at, current)
    await one.apply(at, current, new)
    for _ in range(2):
        await one.put_back(at, current, new)
    assert not await opens(server, new)
    assert await opens(server, current)


@pytest.mark.db
async def test_a_refusal_by_the_server_is_retried_and_names_no_password(server):
    host = str(server.socket_dir)
    one = rotator(host)
    for at, current, why in (
        (job(host, admin=login("rotator", "wrong-password")), login("App A"), "28P01"),
        (job(host, admin=login("app_b")), login("App A"), "must not be one of those that alternate"),
        (job(host, roles=("App A", "postgres")), login("App A"), "42501"),
        (job(host, roles=("App A", "nobody")), login("App A"), "42704"),
    ):
        with pytest.raises(RotationFailed, match=why) as caught:
            await one.apply(at, current, await one.make(at, current))
        assert isinstance(caught.value, TargetRefused) is ("must not" not in why)
        assert "password-" not in caught.value.detail
        assert "SCRAM" not in caught.value.detail
    with pytest.raises(RotationFailed, match="none of the roles App A and app_b"):
        await one.make(job(host), login("somebody"))
    with pytest.raises(RotationFailed, match="The value is no login"):
        await one.make(job(host), b"first")


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1"])
async def test_a_host_inside_the_network_is_refused_unless_an_operator_lists_it(address):
    async def resolve(_host, _port):
        return [address]

    one = PostgresRotator(lambda _: Receivers(resolver=resolve), scram_verifier)
    with pytest.raises(RotationFailed, match="must lead to the public internet"):
        await one.test(job(NAME), login("App A"))


@pytest.mark.parametrize("other", [{"org_id": "org_2"}, {"target": {"port": 5433}}])
async def test_a_listed_host_is_reached_by_its_organization_at_its_port_alone(other, tmp_path):
    at = job(str(tmp_path))
    at = replace(at, **(other | {"target": {**at.target, **other.get("target", {})}}))
    with pytest.raises(RotationFailed, match="The host has no address"):
        await rotator(str(tmp_path)).test(at, login("App A"))


async def test_a_host_that_is_away_is_tried_again(tmp_path):
    with pytest.raises(Unavailable, match="could not log in with the new password"):
        await rotator(str(tmp_path)).test(job(str(tmp_path)), login("App A"))


@asynccontextmanager
async def speaking_tls(name: str, folder: Path) -> AsyncIterator[tuple[int, Path, asyncio.Queue[bytes]]]:
    """Speak TLS as PostgreSQL does, with a certificate for a name; yields the port, the roots and what came then."""
    root, certificate, key = make_chain(name)
    for file, pem in (("root.pem", root), ("chain.pem", certificate), ("key.pem", key)):
        (folder / file).write_bytes(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "chain.pem", folder / "key.pem")
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)
        writer.write(b"S")
        try:
            await writer.start_tls(context)
            heard.put_nowait(await reader.read(1_000))
        except (OSError, ssl.SSLError):
            heard.put_nowait(b"")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], folder / "root.pem", heard


class Judging(Receivers):
    """Judges every address as public, so that a test may connect to its own machine."""

    async def addresses(self, target):
        assert target.host == NAME
        return ("127.0.0.1",)


@pytest.mark.parametrize("name", [NAME, "other.example.com"])
async def test_a_public_host_has_to_show_a_certificate_for_its_name(name, tmp_path):
    async with speaking_tls(name, tmp_path) as (port, roots, heard):
        one = PostgresRotator(lambda _: Judging(), scram_verifier, roots=str(roots))
        with pytest.raises(Unavailable):
            await one.test(job(NAME, port=port), login("App A"))
        assert (b"App A" in await heard.get()) is (name == NAME)
