"""The code that docs/guides/recipes/add-a-process.md shows is the code that the contract of entities runs."""

import re
from textwrap import indent

from tests.docs.pages import ROOT
from tests.support.cases import for_each

PAGE = ROOT / "docs" / "guides" / "recipes" / "add-a-process.md"
PART = re.compile(r"<!-- (\S+) -->|```(?:python|sql)\n(.*?)```", re.DOTALL)


def shown() -> list[tuple[str, str]]:
    """Return each block of the page, and the file that it is said to be from."""
    blocks, file = list[tuple[str, str]](), ""
    for named, block in PART.findall(PAGE.read_text("utf-8")):
        if named:
            file = named
        else:
            blocks.append((file, block))
    return blocks


@for_each("file, block", shown())
def test_what_the_page_shows_stands_in_its_file(file: str, block: str):
    # The formatter gives methods on a page no indentation, and two lines between them.
    text = (ROOT / file).read_text("utf-8")
    assert any(indent(block.replace("\n\n\n", "\n\n"), " " * depth) in text for depth in (0, 4, 8))


def test_every_file_of_the_example_is_shown():
    files = {str(path.relative_to(ROOT)) for path in (ROOT / "tests" / "workflows" / "approval").glob("[!_]*.py")}
    assert {file for file, _ in shown()} == files
