"""CSV (RFC 4180) whose cells no spreadsheet evaluates as formulas. Pure.

A reader may use another separator than the comma, and then finds no quotes at the beginning of its cells. So a formula
is escaped after each possible separator, too.
"""

import json
import re
from collections.abc import Iterable, Sequence

_NUMBER = "[0-9]+(?:[.][0-9]+)?(?:[eE][-+]?[0-9]+)?"
#: Possible separators of cells and lines.
_DIVIDERS = ";,|\t\n\v\f\r\x85\u2028\u2029"
#: Characters that a reader may strip from the beginning of a cell.
_SKIPPED = ' "\u00a0\u3000\ufeff'
#: All signs that are `=`, `+`, `@` or `-` in the normal form NFKC: spreadsheets evaluate full-width ones, too.
_SIGNS = "=\u207c\u208c\u2a75\u2a76\ufe66\uff1d+\u207a\u208a\ufb29\ufe62\uff0b@\ufe6b\uff20\ufe63\uff0d"
#: The beginning of a formula, a regular expression for Python and PostgreSQL (`repositories/insight/dataset.py`). The
#: third group is its sign. A number up to the next separator, or the end of a JSON list, is not a formula.
FORMULA = f'(^|[{_DIVIDERS}])([{_SKIPPED}]*)([{_SIGNS}]|-(?!{_NUMBER}(?![^{_DIVIDERS}"}}\\]])))'
#: Characters that some spreadsheets strip from the beginning of a text before they detect a formula.
LEADING = "^[\t\n\r]"
_FORMULA, _LEADING, _PLAIN = re.compile(FORMULA), re.compile(LEADING), re.compile(f"(?:-?{_NUMBER})?")


def escape_formula(text: str) -> str:
    """Put an apostrophe before everything that a spreadsheet would evaluate (OWASP, CSV injection), except numbers."""
    return _LEADING.sub(r"'\g<0>", _FORMULA.sub(r"\1\2'\3", text))


def cell_text(value: object) -> str:
    """Write a JSON value as a cell: strings unchanged, lists of strings joined by spaces, everything else as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return " ".join(value)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def csv_text(rows: Iterable[Sequence[str]]) -> bytes:
    """Write rows as CSV: numbers unchanged, every other text escaped and quoted."""
    return "".join(f"{','.join(map(_written, row))}\r\n" for row in rows).encode()


def _written(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    doubled = escape_formula(text).replace('"', '""')
    return f'"{doubled}"'
