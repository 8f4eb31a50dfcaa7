"""A file of the fake is the API's file, byte for byte."""

from typing import Any

import httpx2
from hypothesis import example, given, strategies as st

from bursar.testing._lists import page_of
from domain.common.cells import cell_text, csv_text

SIGNS = [*"=+-@;,|\t\r\n\v\u2028 \"'x1.5e]}", "\uff1d", "\ufe63"]
TEXTS = st.text(st.one_of(st.sampled_from(SIGNS), st.characters(codec="utf-8")))
CELLS = st.none() | st.booleans() | st.integers() | st.lists(TEXTS, max_size=2) | st.dictionaries(TEXTS, TEXTS) | TEXTS


ROWS = st.fixed_dictionaries({"id": TEXTS, "name": CELLS})


@given(st.lists(ROWS, min_size=1, max_size=3))
@example([{"id": "1", "name": "Ada;=1+1;x"}])
@example([{"id": "-12.50", "name": "\uff1d1"}])
def test_file_of_the_fake_is_as_the_api_writes_it(items: list[dict[str, Any]]) -> None:
    request = httpx2.Request("GET", "http://fake/api/v1/contracts", headers={"Accept": "text/csv"})
    shown = items[::-1]
    wanted = csv_text([list(shown[0]), *([cell_text(each[name]) for name in shown[0]] for each in shown)])
    assert page_of(request, items).csv == wanted.decode()
