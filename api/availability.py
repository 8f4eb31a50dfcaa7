"""Classification of exceptions: an unavailable service, or a fault of the product."""

import errno

import asyncpg
import sqlalchemy.exc
from temporalio.service import RPCError, RPCStatusCode

from runtime.reach import was_cut_off

_UNAVAILABLE_RPC = {
    RPCStatusCode.UNAVAILABLE,
    RPCStatusCode.DEADLINE_EXCEEDED,
    RPCStatusCode.RESOURCE_EXHAUSTED,
    RPCStatusCode.CANCELLED,
    RPCStatusCode.ABORTED,
}
#: SQLSTATE classes and codes of temporary errors: connection, resources, operator intervention, deadlock,
#: serialisation, lock timeout.
_UNAVAILABLE_SQLSTATES = ("08", "53", "57P", "57014", "40P01", "40001", "55P03")
_NETWORK_ERRNOS = {errno.ECONNREFUSED, errno.ECONNRESET, errno.EPIPE, errno.ENOENT, errno.ETIMEDOUT, errno.EHOSTUNREACH}


def _sqlstate(exc: BaseException) -> str:
    original = exc.orig if isinstance(exc, sqlalchemy.exc.DBAPIError) else exc
    return str(getattr(original, "sqlstate", None) or "")


def _unavailable_alone(exc: BaseException) -> bool:
    if isinstance(exc, RPCError):
        return exc.status in _UNAVAILABLE_RPC or was_cut_off(exc)
    if isinstance(exc, asyncpg.InvalidCachedStatementError):
        return True
    if isinstance(exc, asyncpg.PostgresError | sqlalchemy.exc.DBAPIError):
        if _sqlstate(exc).startswith(_UNAVAILABLE_SQLSTATES):
            return True
        return isinstance(exc, sqlalchemy.exc.DBAPIError) and exc.connection_invalidated
    if isinstance(exc, asyncpg.InternalClientError):
        # A dying server reports it on idle connections, too; a statement sent before their end is noticed raises this.
        return str(exc).startswith("cannot switch to state")
    if isinstance(exc, asyncpg.InterfaceError):
        return "connection" in str(exc) or "pool" in str(exc)
    if isinstance(exc, RuntimeError):
        # Raised by the Temporal SDK before its client has connected.
        return str(exc).startswith("Failed client connect")
    if isinstance(exc, OSError):
        return isinstance(exc, TimeoutError | ConnectionError) or exc.errno in _NETWORK_ERRNOS
    return isinstance(exc, sqlalchemy.exc.TimeoutError)


def is_unavailable(exc: BaseException | None) -> bool:
    """Return whether an exception or its cause means that PostgreSQL or Temporal did not respond."""
    seen = 0
    while exc is not None and seen < 8:
        if _unavailable_alone(exc):
            return True
        exc = exc.__cause__ or exc.__context__
        seen += 1
    return False
