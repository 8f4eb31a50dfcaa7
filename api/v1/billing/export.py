"""Movements as CSV, streamed page by page, with cells that no spreadsheet takes for a formula."""

import csv
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from api.v1.billing.schemas import MovementView

COLUMNS = (
    *("id", "kind", "amount", "currency", "balance_after", "account", "counterparties", "reference"),
    *("effective_at", "recorded_at"),
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NUMBERS = frozenset({"amount", "balance_after"})


def safe_cell(text: str) -> str:
    """Put an apostrophe before what a spreadsheet would calculate (OWASP, CSV injection)."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _cells(view: MovementView) -> list[str]:
    values: dict[str, str] = {
        **{name: str(getattr(view, name) or "") for name in COLUMNS},
        "counterparties": " ".join(view.counterparties),
        "effective_at": view.effective_at.isoformat(),
        "recorded_at": view.recorded_at.isoformat(),
    }
    return [values[name] if name in _NUMBERS else safe_cell(values[name]) for name in COLUMNS]


def _write(rows: Sequence[Sequence[str]]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerows(rows)
    return buffer.getvalue().encode()


async def as_csv(
    first: Sequence[MovementView], following: Callable[[], Awaitable[Sequence[MovementView]]]
) -> AsyncIterator[bytes]:
    """Write the header, the first page and then every following one until one is empty."""
    yield _write([COLUMNS])
    views = first
    while views:
        yield _write([_cells(view) for view in views])
        views = await following()
