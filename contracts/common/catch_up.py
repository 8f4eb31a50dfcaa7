"""Detection of a run that is behind the books: docs/reference/decisions/0006."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from contracts.common.base import Message
from domain.common.errors import DomainError

#: The member of a refusal with the version, for callers of the workflow, not for clients of the API.
_VERSION = "version"


class CatchUp(Message):
    """The update `catch_up`, with the version of the state in the books, which the run may not know yet."""

    version: int


@contextmanager
def with_version(version: Callable[[], int]) -> Iterator[None]:
    try:
        yield
    except DomainError as refusal:
        refusal.extra[_VERSION] = version()
        raise


def take_version(refusal: DomainError) -> int | None:
    """Remove and return the state version of a refusal; None without one."""
    version = refusal.extra.pop(_VERSION, None)
    return version if isinstance(version, int) else None
