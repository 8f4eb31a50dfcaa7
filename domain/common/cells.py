"""Rows of cells as CSV (RFC 4180), which no spreadsheet takes for formulas. Pure.

A reader may divide lines at another sign than the comma, and one that does so finds no quotes at the beginning of its
cells. So a formula is guarded after each sign that a reader may divide at, too.
"""

import json
import re
from collections.abc import Iterable, Sequence

_NUMBER = "[0-9]+(?:[.][0-9]+)?(?:[eE][-+]?[0-9]+)?"
#: What a reader may divide cells or lines at.
_DIVIDERS = ";,|\t\n\v\f\r\x85\u2028\u2029"
#: What a reader may take off the beginning of a cell.
_SKIPPED = ' "\u00a0\u3000\ufeff'
#: All signs that are `=`, `+`, `@` or `-` in the normal form NFKC: a spreadsheet calculates full-width ones, too.
_SIGNS = "=\u207c\u208c\u2a75\u2a76\ufe66\uff1d+\u207a\u208a\ufb29\ufe62\uff0b@\ufe6b\uff20\ufe63\uff0d"
#: The beginning of a formula, as Python and PostgreSQL (`repositories/insight/dataset.py`) both read it: its sign is
#: the third group. A number is none, as far as the next divider or the end of a list in JSON.
FORMULA = f'(^|[{_DIVIDERS}])([{_SKIPPED}]*)([{_SIGNS}]|-(?!{_NUMBER}(?![^{_DIVIDERS}"}}\\]])))'
#: What some spreadsheets take off the beginning of a text before they look for a formula.
LEADING = "^[\t\n\r]"
_FORMULA, _LEADING, _PLAIN = re.compile(FORMULA), re.compile(LEADING), re.compile(f"(?:-?{_NUMBER})?")


def escape_formula(text: str) -> str:
    """Put an apostrophe before all that a spreadsheet would calculate (OWASP, CSV injection); numbers stay."""
    return _LEADING.sub(r"'\g<0>", _FORMULA.sub(r"\1\2'\3", text))


def cell_text(value: object) -> str:
    """Write a value of a JSON document: texts and amounts as they are, lists of words in a row, the rest as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return " ".join(value)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def csv_text(rows: Iterable[Sequence[str]]) -> bytes:
    """Write rows of cells: numbers as they are, and every text guarded and in quotes."""
    return "".join(f"{','.join(map(_written, row))}\r\n" for row in rows).encode()


def _written(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    doubled = escape_formula(text).replace('"', '""')
    return f'"{doubled}"'
