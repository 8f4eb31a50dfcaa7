"""How activities that write the books refuse."""

from sqlalchemy.exc import DBAPIError
from temporalio import activity
from temporalio.exceptions import ApplicationError

from contracts.escrow import Declined

#: The classes of SQLSTATEs that say that a value does not fit: its kind, and the room there is, as in an index.
DOES_NOT_FIT = frozenset({"22", "54"})

#: What the sender of a command is answered when text or a number that came with it `does_not_fit`.
NOT_STORABLE = Declined(code="request.invalid", detail="The command holds a value that cannot be stored.")


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


def does_not_fit(error: DBAPIError) -> bool:
    """Tell whether PostgreSQL cannot hold a value that came with a command: it never will."""
    return str(getattr(error.orig, "sqlstate", ""))[:2] in DOES_NOT_FIT
