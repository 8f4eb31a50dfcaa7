"""Lists as CSV (RFC 4180), streamed page by page, with cells that no spreadsheet takes for a formula."""

import csv
import io
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from api.errors import Responses
from api.fields import ResponseModel

#: What an operation that also answers with CSV adds to its responses in the OpenAPI document.
CSV: Responses = {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}
#: How many rows of a list are read in one transaction.
EXPORT_PAGE = 1_000

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")


def wants_csv(request: Request) -> bool:
    """Return whether the client asks for CSV instead of JSON."""
    return "text/csv" in request.headers.get("accept", "")


def safe_cell(text: str) -> str:
    """Put an apostrophe before what a spreadsheet would calculate (OWASP, CSV injection)."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def cell(value: object) -> str:
    """Write a value of a JSON document: numbers and amounts as they are, lists of words in a row, the rest as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value if _NUMBER.fullmatch(value) else safe_cell(value)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return safe_cell(" ".join(value))
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def columns_of(view: type[ResponseModel]) -> list[str]:
    """Return the names of a schema's fields, which are the columns of its lists."""
    return [field.serialization_alias or field.alias or name for name, field in view.model_fields.items()]


def as_lines(rows: Sequence[Sequence[str]]) -> bytes:
    """Write rows of cells."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerows(rows)
    return buffer.getvalue().encode()


def whole(view: type[ResponseModel], items: Sequence[ResponseModel], name: str) -> Response:
    """Answer with a file of a list that is answered at once; its columns are the fields of the schema."""
    columns, values = columns_of(view), [item.model_dump(mode="json", by_alias=True) for item in items]
    return download([columns, *([cell(each[column]) for column in columns] for each in values)], name)


def download(rows: Sequence[Sequence[str]], name: str) -> Response:
    """Answer with a file of a few rows."""
    return Response(as_lines(rows), media_type="text/csv; charset=utf-8", headers=_attached(name))


async def stream(
    columns: Sequence[str],
    cells: Callable[[Any], Sequence[str]],
    read: Callable[[Any], Awaitable[tuple[Sequence[Any], Any]]],
    after: Any,
    name: str,
    check: Callable[[], Awaitable[None]],
) -> Response:
    """Answer with every page of a list from a position on, each read in a transaction of its own.

    Args:
        columns: of the file.
        cells: of one item, one for each column.
        read: returns the items after a position, and the position after which the next page begins; None at the end.
        after: the first position; None for the beginning.
        name: of the file.
        check: raises before a page once the caller may read no more; the file then breaks off.
    """
    items, following = await read(after)  # What is refused is refused before the answer begins.

    async def lines() -> AsyncIterator[bytes]:
        nonlocal items, following
        yield as_lines([columns])
        while True:
            if items:
                yield as_lines([cells(item) for item in items])
            if following is None:
                return
            await check()
            items, following = await read(following)

    return StreamingResponse(lines(), media_type="text/csv; charset=utf-8", headers=_attached(name))


def _attached(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}
