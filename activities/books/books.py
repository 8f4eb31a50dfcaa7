"""The checks of activities before they write the books, and their refusals."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from asyncpg import PostgresError
from sqlalchemy.exc import DBAPIError
from temporalio import activity
from temporalio.exceptions import ApplicationError

from contracts.escrow.escrow import Declined
from domain.common.errors import DomainError
from domain.common.state_hash import state_hash
from repositories.messages import alert as alerts
from runtime.database import Database

#: The SQLSTATE classes of values that PostgreSQL cannot hold: data exceptions, and program limits, as of an index.
UNSTORABLE_CLASSES = frozenset({"22", "54"})

#: The refusal of a command with text or a number that `is_unstorable`.
NOT_STORABLE = Declined(code="request.invalid", detail="The command contains a value that cannot be stored.")


#: From which attempt on an operator is alerted of a retry because a service does not answer.
ALERTED_FROM = 6

T = TypeVar("T")


class BooksRefused(RuntimeError):
    """The books refuse an event that the rules allow. It is retried until an operator has repaired the cause."""


def require_stored(found: T | None, entity_id: str) -> T:
    """Return what the books hold of an entity whose run resumes.

    Raises:
        BooksRefused: nothing.
    """
    if found is None:
        raise BooksRefused(f"The books have no {entity_id}. Check whether they were restored from a backup.")
    return found


def require_local() -> None:
    """Refuse an event that comes by a regular activity: anyone with access to Temporal can schedule one.

    Our workflows write by local activities, which only the worker itself can run.

    Raises:
        ApplicationError: it is not retried.
    """
    if activity.in_activity() and not activity.info().is_local:
        raise ApplicationError("Events are written by local activities only.", type="NotLocal", non_retryable=True)


class StoredState(Protocol):
    """What the books hold of an entity."""

    @property
    def version(self) -> int: ...


def is_next(held: StoredState | None, number: int | None, decided_from: str | None, subject: str) -> bool:
    """Whether an event follows the state that the books hold and was decided from it; the caller has the row's lock.

    A local activity may have committed although its workflow task was lost, and a run may have been started with a
    forged state. If False, nothing is written, and the run goes on from what the books hold.

    Args:
        held: the state; None before the first event.
        number: of the event, or of the first of several; None if no event is written.
        decided_from: the hash of the state that it was decided from.
        subject: whose event it is.

    Raises:
        BooksRefused: the number is higher than the next one.
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


@dataclass(frozen=True, slots=True)
class RefusalAlert:
    """The alert `{entity}.books_refused` of one event, raised once for the version that it would make.

    `event` is None where only its cause is noted, such as a provider's event that changes nothing; `version` then says
    when. Whoever books an event of the entity resolves the alert.
    """

    database: Database
    entity: str
    subject: str
    event: str | None
    version: int | str
    org_id: str | None

    async def __call__(self, why: str) -> None:
        """Raise it in a transaction of its own: that of the event is rolled back."""
        kind = f"{self.entity}.books_refused"
        what = f"{self.event} of {self.subject}" if self.event else self.subject
        async with self.database.platform() as session:
            await alerts.raise_alert(
                session,
                kind=kind,
                subject=self.subject,
                detail=f"{what} cannot be booked and is retried: {why}",
                org_id=self.org_id,
                key=f"{kind}:{self.subject}:{self.version}",
            )


@asynccontextmanager
async def alerted_retry(alert: Callable[[str], Awaitable[None]]) -> AsyncIterator[None]:
    """Alert an operator of an event that the books refuse although the rules allow it, and have it retried.

    If a service does not answer, such as an outside tax service, the alert comes from attempt `ALERTED_FROM` on: until
    then the outage may end by itself. `alert` raises the same alert only once.

    Raises:
        BooksRefused: instead of a refusal that would end the run and leave its money stuck.
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


def is_unstorable(error: DBAPIError | PostgresError) -> bool:
    """Whether PostgreSQL cannot hold a value of a command, so that a retry is useless."""
    raised = error.orig if isinstance(error, DBAPIError) else error
    return str(getattr(raised, "sqlstate", ""))[:2] in UNSTORABLE_CLASSES
