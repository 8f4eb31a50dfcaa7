"""Translates errors of the SQL functions and the driver to domain errors.

The functions' own SQLSTATEs: BU001 insufficient funds, BU002 key used for another request, BU003 hold ended, BU004
invalid, BU005 hold expired, BU006 no such hold, BU007 unbalanced entries, BU008 change of an immutable row, BU009 no
such account, BU010 no such spend, BU011 refund exceeds the rest of a spend, BU012 credits without the terms of a lot.
BU007 and BU008 are defects, so they are not translated.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType

import asyncpg

from domain.common import errors as refusals
from domain.common.errors import DomainError, IdempotencyConflict, InsufficientFunds, Invalid, NotFound, Unavailable
from domain.common.money import CREDIT, format_amount

NO_ACCOUNT = "BU009"

#: Classes of SQLSTATE after which the same request may succeed: connection, rollback (deadlock, serialization
#: failure), resources, object state (locks), operator intervention.
_RETRYABLE_CLASSES = frozenset({"08", "40", "53", "55", "57"})


def _refusal(error: asyncpg.PostgresError, org_id: str | None) -> DomainError | None:
    match error.sqlstate:
        case "BU001":
            return _insufficient(error.detail, org_id)
        case "BU002":
            return IdempotencyConflict("This idempotency key was used for another request. Choose a new one.")
        case "BU003":
            return refusals.LedgerHoldEnded("The hold was already captured or voided.")
        case "BU005":
            return refusals.LedgerHoldExpired("The hold has expired.")
        case "BU006":
            return NotFound("There is no such hold.")
        case "BU010":
            return NotFound("There is no such spend.")
        case "BU011":
            return refusals.SpendRefunded(
                "The amount is more than remains of the spend to be refunded. Send a smaller amount."
            )
        case "BU004" | "BU012":
            return _impossible(error)
        case "22003":
            return Invalid("The amount is too large for the account.")
        case "23505" if getattr(error, "constraint_name", None) == "uq_holds_ended_key":
            return IdempotencyConflict("The key was already used to end another hold.")
    if isinstance(error, asyncpg.DataError):
        return Invalid("The books cannot store these values.")
    return None


def _impossible(error: asyncpg.PostgresError) -> Invalid:
    """Return the refusal of an impossible amount or time, with the possible ones if the books give them."""
    match json.loads(error.detail or "{}"):
        case {"held": 0}:
            return Invalid(
                "The reservation has no held credits left. Capture it without an amount.", extra={"field": "amount"}
            )
        case {"held": int(held)}:
            most = f"{format_amount(held, CREDIT)} {CREDIT}"
            return Invalid(
                f"The amount must be above zero and at most {most}, which the reservation still holds.",
                extra={"field": "amount"},
            )
        case {"from": str(since), "until": str(until)}:
            return Invalid(f"The reservation can be extended beyond {_at(since)}, to {_at(until)} at most.")
    return Invalid(f"The books refused the request: {error.args[0]}.")


def _at(text: str) -> str:
    return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _insufficient(detail: str | None, org_id: str | None) -> InsufficientFunds:
    lacking = json.loads(detail or "{}")
    # The balance was read after the refusal, so it may suffice by now.
    if org_id is None or lacking.get("org") != org_id or lacking["available"] >= lacking["needed"]:
        return InsufficientFunds("The account does not have this amount available.")
    asset = lacking["asset"]
    needed, available = (format_amount(lacking[name], asset) for name in ("needed", "available"))
    return InsufficientFunds(
        f"{needed} {asset} are required, but only {available} {asset} are available.",
        extra={"needed": needed, "available": available, "currency": asset},
    )


class translated:
    """Context of a call to the books that raises domain errors, and passes on all other errors.

    Deadlocks and serialization failures are never retried here: they abort the caller's whole transaction, which the
    caller has to repeat.
    """

    __slots__ = ("_connection", "_forget_accounts", "_org_id")

    def __init__(
        self, connection: asyncpg.Connection, forget_accounts: Callable[[], None], org_id: str | None = None
    ) -> None:
        """Take the connection of the call, and a function that clears stale account ids.

        `org_id` is the organization of the call: refusals state the balances of its accounts only.
        """
        self._connection = connection
        self._forget_accounts = forget_accounts
        self._org_id = org_id

    def __enter__(self) -> None:
        """Begin the call."""

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        if error is None:
            return
        if isinstance(error, asyncpg.PostgresError):
            sqlstate = str(error.sqlstate or "")
            if sqlstate == NO_ACCOUNT:
                self._forget_accounts()
                raise Unavailable("The books were replaced. Repeat the request.") from error
            if sqlstate[:2] in _RETRYABLE_CLASSES:
                raise Unavailable("The database could not finish the request. Repeat it with the same key.") from error
            refusal = _refusal(error, self._org_id)
            if refusal is not None:
                raise refusal from error
        # A connection that is lost between two steps of the driver leaves it in an invalid state.
        elif isinstance(error, OSError | asyncpg.InternalClientError) or (
            isinstance(error, asyncpg.InterfaceError) and self._connection.is_closed()
        ):
            raise Unavailable("The database cannot be reached. Repeat the request with the same key.") from error
