import csv
import io
import re
import sys
import unicodedata

import pytest
from hypothesis import example, given, strategies as st

from domain.common.cells import cell_text, csv_text, escape_formula

SIGNS = [each for each in map(chr, range(sys.maxunicode + 1)) if unicodedata.normalize("NFKC", each)[:1] in set("=+-@")]
NUMBER = re.compile(r'-[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?($|["\]};,|\t])')
TEXTS = st.text(st.one_of(st.sampled_from([*";,|\t\r\n\v\u2028 \"'x1-5.]}", *SIGNS]), st.characters(codec="utf-8")))
JSON = st.recursive(TEXTS | st.integers(), lambda each: st.lists(each) | st.dictionaries(TEXTS, each), max_leaves=5)


def calculated(piece: str) -> bool:
    """Return whether a spreadsheet would calculate a cell, as written or without quotes and spaces at its start."""
    begun = piece.lstrip(' "\u00a0\u3000\ufeff')
    return unicodedata.normalize("NFKC", begun)[:1] in set("=+-@") and NUMBER.match(begun) is None


@given(st.lists(JSON, min_size=1, max_size=3))
@example(["Ada;=1+1;x"])
@example(["Ada\t@SUM(A1)|-1+1"])
@example(["\uff1d1+1", 'x;"+1'])
@example([{"a": ["x", "=1"]}])
def test_no_reader_finds_a_formula_with_any_separator(row: list[object]) -> None:
    written = csv_text([[cell_text(each) for each in row]]).decode()
    for divider in ",;|\t":
        for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_NONE):
            read = csv.reader(written.splitlines(keepends=True), delimiter=divider, quoting=quoting)
            assert [piece for line in read for piece in line if calculated(piece)] == []


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\tx", *(f"{s}1+1" for s in SIGNS)])
def test_cell_that_a_spreadsheet_would_calculate_begins_with_an_apostrophe(text: str) -> None:
    assert csv_text([[text]]).decode().startswith("\"'")


def test_numbers_stay_numbers_and_every_text_is_quoted() -> None:
    row = [
        "-12.50",
        "7",
        "-1e-05",
        "",
        "USD",
        "a=1",
        'say "x"',
        "a, -5",
        "2026-01-01T00:00:00Z",
        cell_text([1, -5, "x"]),
    ]
    assert csv_text([row]) == (
        b'-12.50,7,-1e-05,,"USD","a=1","say ""x""","a, -5","2026-01-01T00:00:00Z","[1,-5,""x""]"\r\n'
    )


@given(st.lists(TEXTS, min_size=1, max_size=3))
def test_reading_back_gives_the_text_without_its_guards(row: list[str]) -> None:
    read = csv.reader(io.StringIO(csv_text([["x", *row]]).decode(), newline=""))
    assert list(read) == [["x", *map(escape_formula, row)]]
