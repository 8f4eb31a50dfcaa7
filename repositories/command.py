"""Rows that a command made: running the command again finds its row, and only the same request may be told of it."""

from collections.abc import Iterable

from domain.errors import IdempotencyConflict
from models.base import Base


def refuse_other(found: Base, asked: Base, names: Iterable[str]) -> None:
    """Refuse a request whose command has made another row than it asks for.

    The answers to keys are forgotten after a while, the rows stay. So a key that is used again for something else finds
    the row of its first use, which must not pass for what was asked for now.

    Raises:
        IdempotencyConflict: one of the named columns differs.
    """
    if any(getattr(found, name) != getattr(asked, name) for name in names):
        raise IdempotencyConflict("This Idempotency-Key was used for another request. Choose a new one.")
