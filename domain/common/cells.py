"""Rows of cells as CSV (RFC 4180), which no spreadsheet takes for formulas. Pure."""

import csv
import io
import json
import re
from collections.abc import Sequence

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")


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


def as_lines(rows: Sequence[Sequence[str]]) -> bytes:
    """Write rows of cells."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerows(rows)
    return buffer.getvalue().encode()
