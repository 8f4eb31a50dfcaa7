"""Checks of a list that has rows, for the tests that made them."""

import csv
import io
from datetime import datetime
from urllib.parse import quote

from api.csv_files import cell
from tests.api.conftest import Caller, good


async def check_range(caller: Caller, path: str, at: str, *, data: str = "data") -> None:
    """Check that times narrow a list, and that its file holds what is narrowed to."""
    rows = good(await caller.get(path))[data]
    middle = rows[len(rows) // 2][at]

    def follows(row: dict[str, str]) -> bool:
        return datetime.fromisoformat(row[at]) >= datetime.fromisoformat(middle)

    for end, expected in (("from", filter(follows, rows)), ("to", (row for row in rows if not follows(row)))):
        asked, narrowed = f"{path}{'&' if '?' in path else '?'}{end}={quote(middle)}", list(expected)
        assert good(await caller.get(asked))[data] == narrowed
        answer = await caller.get(asked, headers={"Accept": "text/csv"})
        found = list(csv.DictReader(io.StringIO(answer.text)))
        assert found == [{name: cell(value) for name, value in row.items()} for row in narrowed]
