"""What a run takes from its input, and how it ends where the books do not take its first event."""

from temporalio.exceptions import ApplicationError

from domain.errors import DomainError

#: Runs of before began with the state that their input holds.
STATE_FROM_BOOKS = "state-from-the-books"


def not_opened(refusal: DomainError) -> ApplicationError:
    """Return the failure of the run, and of a command that waits for it. There is no money in it yet."""
    given = refusal.status, refusal.detail, refusal.extra
    return ApplicationError(refusal.detail, *given, type=refusal.error_code, non_retryable=True)
