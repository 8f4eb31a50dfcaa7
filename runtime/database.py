"""Engines and sessions: for tenants under row-level security, and for the platform.

A session is one transaction. It commits when the block ends without an error, or with a refusal that the transaction
recorded (`DomainError.commits`), and rolls back otherwise; code inside never commits. No provider or Temporal call is
made while one is open.
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

from domain.common.errors import DomainError
from runtime.sealing import Sealer

_ONE_MOMENT = text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
SET_TENANT = text("SELECT set_config('bursar.org_id', :org_id, true)")


#: Settings of every session. They override `ALTER ROLE … SET`, with which a stolen role could redirect later sessions
#: to its own functions, or make them fail.
SESSION_SETTINGS = {"search_path": "public, pg_temp", "role": "none", "row_security": "on"}
#: Errors of a connection whose server has died; an unresponsive server raises `TimeoutError`.
_DIED = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, ConnectionError)
#: The timeout of connecting, and of waiting for a free connection.
CONNECT_SECONDS = 5.0
#: Timeout of a statement. Cancelling it on a hanging server takes up to the same time again.
STATEMENT_TIMEOUT = timedelta(seconds=10)


def plain_url(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def make_engine(url: str, *, statement_timeout: timedelta | None = None, **options: Any) -> AsyncEngine:
    """Return an engine that passes the URL to asyncpg, which understands `sslmode` and the like as libpq does.

    SQLAlchemy would pass them as arguments, which asyncpg does not accept.
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
    """Test a pooled connection in one round trip; SQLAlchemy's `pool_pre_ping` needs three."""
    try:
        connection.run_async(lambda driver: driver.execute("SELECT 1"))
    except _DIED as error:
        raise InvalidatePoolError from error


def is_outdated(error: BaseException | None) -> bool:
    """Return whether a prepared statement is outdated by a schema change, so that the transaction can be repeated."""
    while error is not None and not isinstance(error, asyncpg.InvalidCachedStatementError):
        error = error.__cause__ or error.__context__
    return error is not None


class Transaction:
    """Platform transaction on the driver's connection, with a session for rare statements.

    A session costs as much processor time as the statements of an event, so it is created on first use. Its statements
    run in a savepoint of the transaction.

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
        """Return the session of the transaction, which must not be committed or closed."""
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
    """Both engines of a process. The tenant role cannot bypass row-level security; the platform role can.

    All waits are limited: an unresponsive server raises `TimeoutError`.
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
        """Prepare both pools of up to twice `pool_size` connections each; nothing connects before the first use.

        With `pre_ping` a connection is tested before its use, which costs a round trip that callers with retries can
        save. The `sealer` seals the providers' client secrets in their columns.
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
        refused: DomainError | None = None
        async with self._open(), self._platform.begin() as session:
            try:
                yield session
            except DomainError as refusal:
                if not refusal.commits:
                    raise
                refused = refusal
        if refused is not None:
            raise refused

    @asynccontextmanager
    async def repeatable_read(self, org_id: str | None) -> AsyncIterator[AsyncSession]:
        async with self._open(), (self._platform if org_id is None else self._tenant).begin() as session:
            await make_repeatable_read(session)
            if org_id is not None:
                await session.execute(SET_TENANT, {"org_id": org_id})
            yield session

    @asynccontextmanager
    async def platform_transaction(self) -> AsyncIterator[Transaction]:
        """Open a platform transaction for frequent writes, for which a session would cost too much.

        The driver begins and ends it; through the engine that would cost the processor time of two statements. An
        unusable connection does not return to the pool.
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
        """Return a plain platform connection for single statements, each its own transaction."""
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
    """Set the transaction to repeatable read; call it before the first statement."""
    await session.execute(_ONE_MOMENT)


async def driver_connection(session: AsyncSession) -> asyncpg.Connection:
    """Return the asyncpg connection of a session, inside its transaction, for the ledger's frequent statements.

    SQLAlchemy begins the driver's transaction with its first statement, so one is sent if necessary: otherwise the
    ledger's statement would commit immediately.
    """
    raw = await (await session.connection()).get_raw_connection()
    connection = cast("asyncpg.Connection", raw.driver_connection)
    if not connection.is_in_transaction():
        await session.execute(text("SELECT 1"))
    assert connection.is_in_transaction()
    return connection
