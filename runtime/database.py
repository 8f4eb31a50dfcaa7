"""Engines and sessions: one for tenants, under row-level security, and one for the platform's own work.

A session from here is one transaction. It commits when the block ends without an error and rolls back otherwise;
nothing below the block commits. No provider or Temporal call is made while one is open.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, cast

import asyncpg
from sqlalchemy import event, text
from sqlalchemy.engine import AdaptedConnection, make_url
from sqlalchemy.exc import DisconnectionError, InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from runtime.sealing import Sealer

_ONE_MOMENT = text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
SET_TENANT = text("SELECT set_config('bursar.org_id', :org_id, true)")


#: How every session begins. PostgreSQL prefers this to what `ALTER ROLE … SET` says, which a role may say of itself: a
#: stolen `bursar_api` would have later sessions find functions of its own, or fail.
SESSION_SETTINGS = {"search_path": "public, pg_temp", "role": "none", "row_security": "on"}
#: Errors of a connection whose server is gone; a server that does not answer is a `TimeoutError`.
_DIED = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, ConnectionError)
#: The timeout of connecting, and of waiting for a free connection.
CONNECT_SECONDS = 5.0
#: The timeout of one statement. A server that hangs does not react to a cancellation either, which gets the same time
#: again.
STATEMENT_TIMEOUT = timedelta(seconds=10)


def plain_url(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def make_engine(url: str, *, statement_timeout: timedelta | None = None, **options: Any) -> AsyncEngine:
    """Return an engine that connects by the URL alone, as asyncpg reads it: `sslmode` and the like as in libpq.

    SQLAlchemy would hand each of them to asyncpg as an argument, and asyncpg knows none of these names.
    """
    dsn = plain_url(url)
    seconds = None if statement_timeout is None else statement_timeout.total_seconds()

    async def connect() -> "asyncpg.Connection[asyncpg.Record]":
        connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(
            dsn, timeout=CONNECT_SECONDS, command_timeout=seconds, server_settings=SESSION_SETTINGS
        )
        return connection

    # An engine's representation shows its URL with the query.
    shown = make_url(url).set(drivername="postgresql+asyncpg").difference_update_query(["password", "sslpassword"])
    # The parameters of a failed statement may be people's names and texts, and its error is logged.
    return create_async_engine(shown, async_creator=connect, hide_parameters=True, **options)


def _ping(connection: AdaptedConnection, _record: object, _proxy: object) -> None:
    """Try a connection that is lent by a statement, one round trip; SQLAlchemy's own `pool_pre_ping` makes three."""
    try:
        connection.run_async(lambda driver: driver.execute("SELECT 1"))
    except _DIED as error:
        raise InvalidatePoolError from error


def is_outdated(error: BaseException | None) -> bool:
    """Return whether a statement was prepared before a table changed, so that its transaction may be repeated."""
    while error is not None and not isinstance(error, asyncpg.InvalidCachedStatementError):
        error = error.__cause__ or error.__context__
    return error is not None


class Transaction:
    """One transaction of the platform: the driver's connection, and a session for rare statements.

    A session costs as much processor time as the statements of an event, so it is created on first use. Its statements
    are a savepoint of the transaction.

    Attributes:
        driver: the asyncpg connection, inside the transaction.
    """

    def __init__(self, connection: AsyncConnection, driver: asyncpg.Connection) -> None:
        """Take the engine's connection, and the driver's connection under it, which is inside the transaction."""
        self.driver = driver
        self._connection = connection
        self._session: AsyncSession | None = None

    @property
    def session(self) -> AsyncSession:
        """Return the session, whose statements are part of the transaction; do not commit or close it."""
        if self._session is None:
            self._session = AsyncSession(self._connection, expire_on_commit=False)
        return self._session

    async def commit(self) -> None:
        if self._session is not None:
            await self._session.commit()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


class Database:
    """The two engines of a process. The tenant role cannot bypass row-level security; the platform role may.

    Nothing on them waits forever: a server that accepts connections but does not answer is a `TimeoutError`.
    """

    def __init__(
        self,
        tenant_url: str,
        platform_url: str,
        *,
        pool_size: int = 10,
        statement_timeout: timedelta = STATEMENT_TIMEOUT,
        pre_ping: bool = True,
        sealer: Sealer | None = None,
    ) -> None:
        """Prepare both pools, each of up to twice `pool_size` connections; nothing connects before the first use.

        With `pre_ping` a connection is tested before it is used, so that no request gets a dead one; it costs a round
        trip, which a caller that retries its transactions anyway can save. The `sealer` seals the client secrets in the
        columns that hold those of providers.
        """
        sealing = sealer or Sealer()
        self.statement_timeout = statement_timeout
        self._schema = 0

        def renew(_connection: AdaptedConnection, record: ConnectionPoolEntry, _proxy: object) -> None:
            if record.info.setdefault("schema", self._schema) != self._schema:
                raise DisconnectionError

        def engine(url: str) -> AsyncEngine:
            made = make_engine(
                url,
                statement_timeout=statement_timeout,
                # Connections are kept open: a page of the console needs more at once than a smaller pool keeps, and
                # reopening connections after each burst plans their statements again.
                pool_size=2 * pool_size,
                max_overflow=0,
                pool_timeout=CONNECT_SECONDS,
            )
            made.dialect.sealer = sealing  # type: ignore[attr-defined]  # see `models.common.sealed`
            event.listen(made.sync_engine, "checkout", renew)
            if pre_ping:
                event.listen(made.sync_engine, "checkout", _ping)
            return made

        self.tenant_engine: AsyncEngine = engine(tenant_url)
        self.platform_engine: AsyncEngine = engine(platform_url)
        self._tenant = async_sessionmaker(self.tenant_engine, expire_on_commit=False)
        self._platform = async_sessionmaker(self.platform_engine, expire_on_commit=False)
        self._closed = False

    @asynccontextmanager
    async def tenant(self, org_id: str) -> AsyncIterator[AsyncSession]:
        async with self._open(), self._tenant.begin() as session:
            await session.execute(SET_TENANT, {"org_id": org_id})
            yield session

    @asynccontextmanager
    async def platform(self) -> AsyncIterator[AsyncSession]:
        async with self._open(), self._platform.begin() as session:
            yield session

    @asynccontextmanager
    async def repeatable_read(self, org_id: str | None) -> AsyncIterator[AsyncSession]:
        async with self._open(), (self._platform if org_id is None else self._tenant).begin() as session:
            await make_repeatable_read(session)
            if org_id is not None:
                await session.execute(SET_TENANT, {"org_id": org_id})
            yield session

    @asynccontextmanager
    async def platform_transaction(self) -> AsyncIterator[Transaction]:
        """Open one transaction of the platform for frequent writes, for which a session would cost too much.

        The driver begins and ends it, because the engine's connection takes as much processor time for that as for two
        statements. A connection that cannot be used any more does not go back to the pool.
        """
        async with self._open(), self.platform_engine.connect() as connection:
            raw = await connection.get_raw_connection()
            driver = cast("asyncpg.Connection", raw.driver_connection)
            # With the level that the session's own transaction has: asyncpg insists on the same one for a savepoint.
            begun = driver.transaction(isolation="read_committed")
            try:
                await begun.start()
                transaction = Transaction(connection, driver)
                try:
                    yield transaction
                    await transaction.commit()
                except BaseException:
                    if not driver.is_closed():
                        await transaction.close()
                        await begun.rollback()
                    raise
                await transaction.close()
                await begun.commit()
            finally:
                if driver.is_closed() or driver.is_in_transaction():
                    await connection.invalidate()

    @asynccontextmanager
    async def platform_statement(self) -> AsyncIterator[asyncpg.Connection]:
        """Return the platform's plain connection for single statements, each its own transaction."""
        async with self._open(), self.platform_engine.connect() as connection:
            raw = await connection.get_raw_connection()
            yield cast("asyncpg.Connection", raw.driver_connection)

    async def close(self) -> None:
        """Close both pools; no transaction can be opened after it."""
        self._closed = True
        await self.tenant_engine.dispose()
        await self.platform_engine.dispose()

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[None]:
        # A disposed pool opens connections again when it is used, and they would never be closed.
        if self._closed:
            raise RuntimeError("The database is closed.")
        try:
            yield
        except Exception as error:
            # The driver forgets the statements of one connection only, and SQLAlchemy none that it did not prepare.
            self._schema += is_outdated(error)
            raise


async def make_repeatable_read(session: AsyncSession) -> None:
    """Make all reads of the transaction as of its first statement; call it before that."""
    await session.execute(_ONE_MOMENT)


async def driver_connection(session: AsyncSession) -> asyncpg.Connection:
    """Return the asyncpg connection under a session, inside the session's transaction, for the ledger's hot statements.

    SQLAlchemy begins the driver's transaction with its first statement, so one is sent when none was yet: without it
    the ledger's statement would commit on its own.
    """
    raw = await (await session.connection()).get_raw_connection()
    connection = cast("asyncpg.Connection", raw.driver_connection)
    if not connection.is_in_transaction():
        await session.execute(text("SELECT 1"))
    assert connection.is_in_transaction()
    return connection
