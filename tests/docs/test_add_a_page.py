"""Files and attributes named in docs/guides/recipes/add-a-page.md exist."""

import ast
import re

import pytest

from console.visit import Visit
from tests.docs.pages import ROOT

PAGE = (ROOT / "docs" / "guides" / "recipes" / "add-a-page.md").read_text("utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.partition("\n")[0][:40])
def test_code_on_the_page_is_python(block: str):
    ast.parse(block)


def test_a_visit_has_what_the_page_says():
    named = set(re.findall(r"\bvisit\.(\w+)", PAGE)) | {"me", "choices"}
    # These two are made by `begin`, for each request.
    made = set(re.findall(r"self\.(\w+)", (ROOT / "console" / "visit.py").read_text("utf-8")))

    assert {name for name in named if not hasattr(Visit, name) and name not in made} == set()


def test_files_on_the_page_are_there():
    files = re.findall(r"`(console/[\w/.]+\.(?:py|html)|tests/console/[\w/]+\.py)`", PAGE)

    assert files
    assert [file for file in files if not (ROOT / file).exists()] == []
    assert (ROOT / "console" / "transaction" / "list.html").exists()
