"""Links lead somewhere, and verbs and modules that the documentation names exist."""

import re
from importlib.util import find_spec
from pathlib import Path

from tests.docs.pages import ROOT, pages, prose
from tests.support.cases import for_each

PAGES = pages()
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)
ANCHOR = re.compile(r'<a id="([^"]+)"></a>')
VERB = re.compile(r"(?:^|[`(\s])make ([a-z]+)\b")
MODULE = re.compile(r"python -m ([a-z_.]+)")
CODE = re.compile(r"`([^`\n]+)`")
#: What verbs write, and git ignores.
WRITTEN = ("tests/artefacts/",)


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def anchors(page: Path) -> set[str]:
    """Return the anchors that a forge makes of headings, and those that a page sets."""
    text = prose(page)
    headings = (re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in HEADING.findall(text))
    made = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return made | set(ANCHOR.findall(text))


@for_each("page", PAGES)
def test_relative_links_resolve(page: Path) -> None:
    broken = []
    for target in LINK.findall(prose(page)):
        path, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target) or path.startswith("/"):
            continue
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and file.suffix == ".md" and anchor not in anchors(file)):
            broken.append(target)
    assert broken == []


@for_each("page", PAGES)
def test_verbs_of_make_exist(page: Path) -> None:
    verbs = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    text = page.read_text("utf-8")
    code = "\n".join([*CODE.findall(prose(page)), *re.findall(r"```\w*\n(.*?)```", text, re.DOTALL)])
    assert set(VERB.findall(code)) <= verbs


@for_each("page", PAGES)
def test_modules_to_run_exist(page: Path) -> None:
    named = set(MODULE.findall(page.read_text("utf-8"))) - {"venv", "pip", "json.tool"}
    missing = [module for module in named if not (find_spec(module) or find_spec(f"{module}.__main__"))]
    runnable = [
        module
        for module in named
        if (ROOT / module.replace(".", "/")).is_dir() and not (ROOT / module.replace(".", "/") / "__main__.py").exists()
    ]
    assert (missing, runnable) == ([], [])


@for_each("page", [page for page in PAGES if page.parent != ROOT])
def test_files_that_are_named_exist(page: Path) -> None:
    roots = {path.name for path in ROOT.iterdir()}
    named = {
        text.partition("#")[0]
        for text in CODE.findall(prose(page))
        if re.fullmatch(r"[\w.-]+(/[\w.-]+)+/?", text) and text.split("/")[0] in roots
    }
    planned = {"domain/reputation.py", "domain/pricing.py"}
    missing = [path for path in named - planned if not path.startswith(WRITTEN) and not (ROOT / path).exists()]
    assert sorted(missing) == []


def test_index_lists_every_page() -> None:
    index = (ROOT / "docs" / "README.md").read_text("utf-8")
    known = [page.relative_to(ROOT / "docs") for page in PAGES if page.is_relative_to(ROOT / "docs")]
    assert [str(page) for page in known if str(page) != "README.md" and f"({page})" not in index] == []
