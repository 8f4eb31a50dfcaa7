"""TLS to PostgreSQL by the URL alone, against a real server behind a listener that speaks TLS for it."""

import asyncio
import contextlib
import datetime
import ipaddress
import ssl
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

import asyncpg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sqlalchemy import text
from sqlalchemy.engine import make_url

from api.pool import StatementPool
from runtime.database import Database, make_engine
from tests.conftest import DatabaseUrls

pytestmark = pytest.mark.db

TLS_REQUEST = struct.pack("!ii", 8, 80877103)


@dataclass
class Listener:
    """The server's TCP address, the root of its certificate, and the connections that requested TLS."""

    url: str
    root: Path
    other_root: Path
    asked: list[bool] = field(default_factory=list)

    def with_query(self, **query: str) -> str:
        return f"{self.url}?{urlencode(query)}"


def certificate(folder: Path, name: str, address: str) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / f"{name}.pem", folder / f"{name}.key"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths


@contextlib.asynccontextmanager
async def listening(database_url: str, folder: Path, address: str = "127.0.0.1") -> AsyncIterator[Listener]:
    root, key = certificate(folder, "server", address)
    other, _ = certificate(folder, "other", address)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(root, key)
    behind = make_url(database_url)
    listener = Listener("", root, other)

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            first = await reader.readexactly(8)
            listener.asked.append(first == TLS_REQUEST)
            if first == TLS_REQUEST:
                writer.write(b"S")
                await writer.start_tls(context)
                first = b""
            inner_reader, inner_writer = await asyncio.open_unix_connection(f"{behind.query['host']}/.s.PGSQL.5432")
            inner_writer.write(first)
            await asyncio.gather(pump(reader, inner_writer), pump(inner_reader, writer))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    listener.url = f"postgresql://{behind.username}@127.0.0.1:{port}/{behind.database}"
    try:
        yield listener
    finally:
        server.close()


@pytest.fixture
async def listener(database_urls: DatabaseUrls, tmp_path: Path) -> AsyncIterator[Listener]:
    async with listening(database_urls.platform, tmp_path) as listening_at:
        yield listening_at


async def one(url: str) -> int:
    engine = make_engine(url)
    try:
        async with engine.connect() as connection:
            return int((await connection.execute(text("SELECT 1"))).scalar_one())
    finally:
        await engine.dispose()


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
async def test_a_server_that_proves_itself_is_spoken_to_in_tls(listener: Listener, mode: str) -> None:
    assert await one(listener.with_query(sslmode=mode, sslrootcert=str(listener.root))) == 1
    assert listener.asked == [True]


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
async def test_a_server_under_another_root_is_refused(listener: Listener, mode: str) -> None:
    """With a root, `require` verifies as `verify-ca` does; libpq documents it so."""
    with pytest.raises(ssl.SSLCertVerificationError):
        await one(listener.with_query(sslmode=mode, sslrootcert=str(listener.other_root)))


async def test_only_verify_full_asks_for_the_servers_name(database_urls: DatabaseUrls, tmp_path: Path) -> None:
    async with listening(database_urls.platform, tmp_path, address="192.0.2.1") as elsewhere:
        assert await one(elsewhere.with_query(sslmode="verify-ca", sslrootcert=str(elsewhere.root))) == 1
        with pytest.raises(ssl.SSLCertVerificationError):
            await one(elsewhere.with_query(sslmode="verify-full", sslrootcert=str(elsewhere.root)))


async def test_disable_asks_for_no_tls(listener: Listener) -> None:
    assert await one(listener.with_query(sslmode="disable")) == 1
    assert listener.asked == [False]


async def test_every_way_to_the_database_reads_the_url_alike(listener: Listener) -> None:
    url = listener.with_query(sslmode="verify-full", sslrootcert=str(listener.root))
    database = Database(url, url, pool_size=1)
    pool = StatementPool(url, size=1, timeout=timedelta(minutes=1))
    direct = await asyncpg.connect(url)
    try:
        async with database.platform() as session:
            assert (await session.execute(text("SELECT 1"))).scalar_one() == 1
        assert await pool.read(lambda connections: connections.fetchval("SELECT 1")) == 1
        assert await direct.fetchval("SELECT 1") == 1
    finally:
        await direct.close()
        await pool.close()
        await database.close()
    assert set(listener.asked) == {True}


def test_an_engine_shows_no_password() -> None:
    url = "postgresql://api:SECRETSECRET@host:5432/db?password=SECRETSECRET&sslpassword=SECRETSECRET&sslmode=require"
    shown = str(make_engine(url).url)
    assert "SECRETSECRET" not in shown
    assert "sslmode=require" in shown
