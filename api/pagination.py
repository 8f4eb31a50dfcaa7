"""Pages of lists: where the next one begins is an opaque cursor that is checked when it comes back."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

from fastapi import Query

from api.fields import Page, ResponseModel
from domain.errors import Invalid
from domain.ids import is_id

T = TypeVar("T", bound=ResponseModel)
Row = TypeVar("Row")

MAX_LIMIT = 200
DEFAULT_LIMIT = 50
_MAX_CURSOR = 400

LimitParam = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="The maximum number of items on a page.")]
CursorParam = Annotated[
    str | None,
    Query(max_length=_MAX_CURSOR, description="`next_cursor` of the previous page; leave it out for the first page."),
]


def encode_cursor(kind: str, *position: object) -> str:
    """Write a position in the list of that kind as a cursor."""
    text = json.dumps([kind, *position], separators=(",", ":"), default=str)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(cursor: str, kind: str, *types: type) -> list[Any]:
    """Read a cursor back.

    Raises:
        Invalid: it is not one, or belongs to another list.
    """
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        found = json.loads(raw)
    except (binascii.Error, ValueError, RecursionError):
        raise bad_cursor() from None
    if not isinstance(found, list) or len(found) != len(types) + 1 or found[0] != kind:
        raise bad_cursor()
    position = found[1:]
    if any(type(value) is not wanted for value, wanted in zip(position, types, strict=True)):
        raise bad_cursor()
    if any(isinstance(value, int) and not 0 <= value < 2**63 for value in position):
        raise bad_cursor()
    return position


def bad_cursor() -> Invalid:
    """Return the refusal of a cursor."""
    return Invalid("The cursor does not belong to this list and its filters.", extra={"field": "cursor"})


def id_cursor(cursor: str | None, prefix: str) -> str | None:
    """Read the cursor of a list that is ordered by id; None for the first page."""
    if cursor is None:
        return None
    (last,) = decode_cursor(cursor, prefix, str)
    if not is_id(last, prefix):
        raise bad_cursor()
    return str(last)


def number_cursor(cursor: str | None, kind: str) -> int | None:
    """Read the cursor of a list that is ordered by number, the first one first; None for the first page."""
    return None if cursor is None else int(decode_cursor(cursor, kind, int)[0])


def number_page(rows: Sequence[Row], limit: int, kind: str, show: Callable[[Row], T]) -> Page[T]:
    """Make a page of rows that have a `number`; ask for `limit + 1` rows, so that the last says if there are more."""
    shown = rows[:limit]
    following = encode_cursor(kind, getattr(shown[-1], "number", 0)) if len(rows) > limit else None
    return Page(data=[show(row) for row in shown], next_cursor=following)


def id_page(rows: Sequence[Row], limit: int, prefix: str, show: Callable[[Row], T]) -> Page[T]:
    """Make a page of rows that have an `id`; ask for `limit + 1` rows, so that the last says if there are more."""
    shown = rows[:limit]
    more = len(rows) > limit
    last = getattr(shown[-1], "id", "") if shown else ""
    return Page(data=[show(row) for row in shown], next_cursor=encode_cursor(prefix, last) if more else None)
