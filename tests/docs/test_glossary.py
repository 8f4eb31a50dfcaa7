"""The glossary names what exists, each term once, and messages do not use the words that it replaces."""

import ast
import re
from collections.abc import Collection, Iterator
from importlib import import_module

import pytest

from tests.docs.pages import ROOT
from tests.support.cases import for_each
from tests.support.openapi import served

PAGE = (ROOT / "docs" / "reference" / "glossary.md").read_text("utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("| ") and not line.startswith("| term |")
]
IDENTIFIERS = sorted({name for row in ROWS for name in re.findall(r"`([\w.]+)`", row[3])})
FOLDERS = ["activities", "api", "commands", "console", "contracts", "domain", "ledger", "models", "providers"]
FOLDERS += ["repositories", "runtime", "services", "workflows"]
#: What a text with SQL has; its names of columns and functions are pinned.
SQL = re.compile(r"\b(?:SELECT|UPDATE|INSERT|DELETE|FROM|WHERE|JOIN|AS|IS NULL|AND)\b|>=")
PAGES = ["README.md", "docs/*.md", "docs/start/*.md", "docs/guides/**/*.md", "docs/operate/**/*.md"]
PAGES += ["docs/reference/**/*.md"]
#: The glossary lists them.
LISTS = {"docs/reference/glossary.md"}
#: Kinds of postings, which are pinned, and words that pages also use in their ordinary meaning.
ON_PAGES = {"earmark", "seize", "difference", "standing"}
#: Modules that list names of columns and fields, which are pinned.
LISTS_OF_NAMES = ("domain/privacy/data_map.py", "domain/privacy/tables.py")


def not_used() -> list[str]:
    everywhere = re.search(r"^Words that no message uses[^:]*: (.+)\.$", PAGE, re.MULTILINE)
    assert everywhere is not None
    words = [word for row in ROWS for word in row[4].split(",")] + everywhere[1].split(",")
    return sorted({word.strip() for word in words} - {""})


def messages(source: str) -> Iterator[str]:
    """Yield every text of several words that is no docstring."""
    tree = ast.parse(source)
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)) if id(node) not in docs and " " in text.strip():
                # Names of fields and of kinds are pinned: placeholders, and lists of dotted names.
                words = re.sub(r"%\(\w+\)s|\b\w+[._]\w[\w.]*", "", text)
                if " " in words.strip():
                    yield words


def of_template(source: str) -> Iterator[str]:
    """Yield every text of a page: what stands between its marks, and the texts of several words within them."""
    source = re.sub(r"\{#.*?#\}", "", source, flags=re.DOTALL)
    for mark in re.findall(r"\{\{.*?\}\}|\{%.*?%\}", source, flags=re.DOTALL):
        yield from (text for text in re.findall(r'"([^"]*)"', mark) if " " in text.strip())
    between = re.sub(r"\{\{.*?\}\}|\{%.*?%\}|<[^<>]*>", "\n", source, flags=re.DOTALL)
    yield from (line for line in between.splitlines() if " " in line.strip())


def of_document(node: object, place: str = "") -> Iterator[tuple[str, str]]:
    """Yield every summary and description of an OpenAPI document, but those of codes of refusals."""
    if isinstance(node, list):
        for each in node:
            yield from of_document(each, place)
    if isinstance(node, dict):
        for name, value in node.items():
            if isinstance(value, str) and name in {"summary", "description"}:
                yield place, value
            elif name != "responses":
                yield from of_document(value, f"{place}/{name}")


def replaced(*, but: Collection[str] = ()) -> re.Pattern[str]:
    """Return what finds a word that a term replaces."""
    words = "|".join(re.escape(word) for word in not_used() if word not in but)
    return re.compile(rf"\b(?:{words})\b", re.IGNORECASE)


def test_every_row_is_complete_and_every_term_stands_once() -> None:
    assert [row for row in ROWS if len(row) != 5 or not all(row[:4])] == []
    terms = [row[0] for row in ROWS]
    assert sorted(terms) == sorted(set(terms))


@for_each("name", IDENTIFIERS)
def test_identifier_of_a_term_exists(name: str) -> None:
    parts = name.split(".")
    depth = max(n for n in range(1, len(parts)) if ROOT.joinpath(*parts[:n]).with_suffix(".py").exists())
    found: object = import_module(".".join(parts[:depth]))
    for part in parts[depth:]:
        found = getattr(found, part)


@pytest.mark.slow
def test_messages_do_not_use_the_words_that_a_term_replaces() -> None:
    words = replaced()
    files = [file for folder in FOLDERS for file in sorted((ROOT / folder).rglob("*.py"))]
    found = [
        f"{file.relative_to(ROOT)}: {text}"
        for file in files
        if not str(file.relative_to(ROOT)).startswith(LISTS_OF_NAMES)
        for text in messages(file.read_text("utf-8"))
        if words.search(text) and not SQL.search(text)
    ]
    assert found == []


def prose(page: str) -> str:
    """Return a page without its code, the addresses of its links, and its marks."""
    page = re.sub(r"^ *(```|~~~).*?^ *\1", "", page, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`]*`|\]\([^)]*\)|<!--.*?-->", "", page, flags=re.DOTALL)


def test_documents_do_not_use_the_words_that_a_term_replaces() -> None:
    words = replaced(but=ON_PAGES)
    found = [
        f"{file.relative_to(ROOT)}: {line.strip()}"
        for pattern in PAGES
        for file in sorted(ROOT.glob(pattern))
        if str(file.relative_to(ROOT)) not in LISTS
        for line in prose(file.read_text("utf-8")).splitlines()
        if words.search(line)
    ]
    assert found == []


def test_pages_do_not_use_the_words_that_a_term_replaces() -> None:
    words = replaced()
    found = [
        f"{file.relative_to(ROOT)}: {text}"
        for file in sorted((ROOT / "console").rglob("*.html"))
        for text in of_template(file.read_text("utf-8"))
        if words.search(text)
    ]
    assert found == []


def test_document_of_the_api_does_not_use_the_words_that_a_term_replaces() -> None:
    words = replaced()
    assert [f"{place}: {text}" for place, text in of_document(served()) if words.search(text)] == []


def test_texts_of_pages_and_of_the_document_are_found() -> None:
    page = '{# was told #}<p title="x">It was {{ told }} seized by us.</p>{{ empty("No goods here", page.goods) }}'
    assert [text for text in of_template(page) if replaced().search(text)] == ["No goods here", " seized by us."]
    operation = {"summary": "Withdraw it", "responses": {"422": {"description": "floor"}}, "x": [{"description": "y"}]}
    assert list(of_document({"get": operation})) == [("/get", "Withdraw it"), ("/get/x", "y")]


@pytest.mark.parametrize(
    "source",
    [
        'raise Conflict("It was withdrawn.")',
        'raise Conflict(f"{it} was withdrawn.")',
        'Field(description="Was withdrawn.")',
    ],
)
def test_message_is_found_wherever_it_is_said(source: str) -> None:
    assert [text for text in messages(source) if "withdrawn" in text]
    assert not list(messages('"""It was withdrawn."""'))
