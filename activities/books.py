"""How activities that write the books compare before they write, and how they refuse."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Protocol

from asyncpg import PostgresError
from sqlalchemy.exc import DBAPIError
from temporalio import activity
from temporalio.exceptions import ApplicationError

from contracts.escrow import Declined
from domain.errors import DomainError
from domain.state_hash import state_hash

#: The classes of SQLSTATEs that say that a value does not fit: its kind, and the room there is, as in an index.
DOES_NOT_FIT = frozenset({"22", "54"})

#: What the sender of a command is answered when text or a number that came with it `does_not_fit`.
NOT_STORABLE = Declined(code="request.invalid", detail="The command contains a value that cannot be stored.")


#: From which try on an operator is alerted of what is tried again because something does not answer.
ALERTED_FROM = 6


class BooksRefused(RuntimeError):
    """The books do not take an event that the rules allow. It is tried again until a person has mended them."""


def require_local() -> None:
    """Refuse an event that reaches us as a regular activity: whoever reaches Temporal may have scheduled it.

    Our workflows write by local activities, which nobody but the worker itself can run.

    Raises:
        ApplicationError: it is not retried.
    """
    if activity.in_activity() and not activity.info().is_local:
        raise ApplicationError("Events are written by local activities only.", type="NotLocal", non_retryable=True)


class State(Protocol):
    """What the books hold of an entity."""

    @property
    def version(self) -> int: ...  # noqa: D102


def is_next(held: State | None, number: int | None, decided_from: str | None, subject: str) -> bool:
    """Tell whether an event follows what the books hold and was decided from it; the caller has the row's lock.

    A local activity may have committed although its workflow task was lost, and a run may have been started with a
    state of somebody's making. Where this is False nothing is written, and the run goes on from what the books hold.

    Args:
        held: the state; None before the first event.
        number: of the event, or of the first of several; None where only something else is written.
        decided_from: the hash of the state that it was decided from.
        subject: whose event it is.

    Raises:
        BooksRefused: it lies beyond the next one.
    """
    version = 0 if held is None else held.version
    if number is not None and version >= number:
        return False
    if number is not None and version != number - 1:
        raise BooksRefused(
            f"{subject}: event {number} cannot follow event {version}. Check whether the books were restored."
        )
    if held is None or decided_from == state_hash(held):
        return True
    activity.logger.warning("decided from another state than the books hold")
    return False


@asynccontextmanager
async def tried_again(alert: Callable[[str], Awaitable[None]]) -> AsyncIterator[None]:
    """Alert an operator of what the books do not take although the rules allow it, and have it tried again.

    What cannot be booked because something does not answer, such as an outside tax service, is alerted of when it was
    tried `ALERTED_FROM` times: until then it may be over by itself. `alert` raises the same one only once.

    Raises:
        BooksRefused: instead of a refusal that would end the run, which would leave money without a way out.
    """
    try:
        yield
    except BooksRefused as refusal:
        await alert(str(refusal))
        raise
    except DomainError as refusal:
        if refusal.retryable:
            if activity.in_activity() and activity.info().attempt >= ALERTED_FROM:
                await alert(refusal.detail)
            raise
        await alert(refusal.detail)
        raise BooksRefused(refusal.detail) from refusal


def does_not_fit(error: DBAPIError | PostgresError) -> bool:
    """Tell whether PostgreSQL cannot hold a value that came with a command: it never will."""
    raised = error.orig if isinstance(error, DBAPIError) else error
    return str(getattr(raised, "sqlstate", ""))[:2] in DOES_NOT_FIT
