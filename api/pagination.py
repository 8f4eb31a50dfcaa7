"""Pages of lists: where the next one begins is an opaque cursor that is checked when it comes back."""

import base64
import binascii
import json
from typing import Annotated, Any

from fastapi import Query

from domain.common.errors import Invalid
from domain.common.text import fits_postgres

MAX_LIMIT = 200
DEFAULT_LIMIT = 50
_MAX_CURSOR = 400

LimitParam = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="The maximum number of items on a page.")]
CursorParam = Annotated[
    str | None,
    Query(max_length=_MAX_CURSOR, description="`next_cursor` of the previous page; leave it out for the first page."),
]


def encode_cursor(kind: str, *position: object) -> str:
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
    if not all(fits_postgres(value) for value in position if isinstance(value, str)):
        raise bad_cursor()
    return position


def bad_cursor() -> Invalid:
    return Invalid("The cursor does not belong to this list and its filters.", extra={"field": "cursor"})
