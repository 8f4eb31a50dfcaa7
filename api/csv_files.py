"""Lists as CSV (RFC 4180), streamed page by page, with cells that no spreadsheet takes for a formula.

Also as JSON Lines (https://jsonlines.org), where a list has them.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, AsyncExitStack
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from api.errors import Responses
from api.fields import ResponseModel
from api.outgoing import HeldStream
from domain.common.cells import cell_text, csv_text

#: What an operation that also answers with CSV adds to its responses in the OpenAPI document.
CSV: Responses = {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}
#: The same of an operation that answers with JSON Lines too.
FILES: Responses = {
    200: {"content": {"text/csv": {"schema": {"type": "string"}}, "application/jsonl": {"schema": {"type": "string"}}}}
}
#: How many rows of a list are read in one transaction.
EXPORT_PAGE = 1_000


def wants_csv(request: Request) -> bool:
    return "text/csv" in request.headers.get("accept", "")


def wants_lines(request: Request) -> bool:
    return "application/jsonl" in request.headers.get("accept", "")


def columns_of(view: type[ResponseModel]) -> list[str]:
    return [field.serialization_alias or field.alias or name for name, field in view.model_fields.items()]


def file_of_list(view: type[ResponseModel], items: Sequence[ResponseModel], name: str) -> Response:
    """Answer with a file of a list that is answered at once; its columns are the fields of the schema."""
    columns, values = columns_of(view), [item.model_dump(mode="json", by_alias=True) for item in items]
    return download([columns, *([cell_text(each[column]) for column in columns] for each in values)], name)


def download(rows: Sequence[Sequence[str]], name: str) -> Response:
    return Response(csv_text(rows), media_type="text/csv; charset=utf-8", headers=_attached(name))


def csv_lines(columns: Sequence[str], cells: Callable[[Any], Sequence[str]]) -> "FileFormat":
    return FileFormat(
        "csv", "text/csv; charset=utf-8", csv_text([columns]), lambda items: csv_text([*map(cells, items)])
    )


def _objects(items: Sequence[ResponseModel]) -> bytes:
    return b"".join(item.model_dump_json(by_alias=True).encode() + b"\n" for item in items)


@dataclass(frozen=True, slots=True)
class FileFormat:
    """How a list is written into a file: its first line, and those of a page."""

    suffix: str
    media_type: str
    head: bytes
    of: Callable[[Sequence[Any]], bytes]


JSON_LINES = FileFormat("jsonl", "application/jsonl", b"", _objects)


async def stream(
    written: FileFormat,
    read: Callable[[Any], Awaitable[tuple[Sequence[Any], Any]]],
    after: Any,
    name: str,
    check: Callable[[], Awaitable[None]],
    hold: AbstractContextManager[Any],
) -> Response:
    """Answer with every page of a list from a position on, each read in a transaction of its own.

    Args:
        written: how.
        read: returns the items after a position, and the position after which the next page begins; None at the end.
        after: the first position; None for the beginning.
        name: of the file, without its suffix.
        check: raises before a page once the caller may read no more; the file then breaks off.
        hold: held until the answer is out; it may refuse.
    """
    async with AsyncExitStack() as held:
        held.enter_context(hold)
        items, following = await read(after)  # What is refused is refused before the answer begins.
        slot = held.pop_all()

    async def lines() -> AsyncIterator[bytes]:
        nonlocal items, following
        yield written.head
        while True:
            if items:
                yield written.of(items)
            if following is None:
                return
            await check()
            items, following = await read(following)

    headers = _attached(f"{name}.{written.suffix}")
    return HeldStream(lines(), slot, media_type=written.media_type, headers=headers)


def _attached(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}
