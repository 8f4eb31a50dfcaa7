"""How a run and its callers find out that it is behind the books: docs/decisions/0006."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from contracts.base import Message
from domain.errors import DomainError

#: The member of a refusal that carries the version; for callers of the workflow, and not for those of the API.
_VERSION = "version"


class CatchUp(Message):
    """The update `catch_up`: the books hold this version of the run's state, which the run may not know yet."""

    version: int


@contextmanager
def with_version(version: Callable[[], int]) -> Iterator[None]:
    """Say with a refusal which version of the state it was decided on."""
    try:
        yield
    except DomainError as refusal:
        refusal.extra[_VERSION] = version()
        raise


def take_version(refusal: DomainError) -> int | None:
    """Take from a refusal which version it was decided on; None when a run of older code refused."""
    version = refusal.extra.pop(_VERSION, None)
    return version if isinstance(version, int) else None
