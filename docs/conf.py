"""Configuration of the documentation site; `make docs` builds it from the pages that a forge shows as well.

The navigation is the list of `docs/README.md`: its headings are the captions, its links the order of the pages.
"""

import re
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parent.parent
INDEX = "docs/README"

project = "Bursar"
root_doc = INDEX
include_patterns = ["README.md", "AGENTS.md", "CHANGELOG.md", "sdk/README.md", "docs/**.md"]
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
html_theme = "furo"
html_title = "Bursar"
html_show_copyright = html_show_sphinx = html_copy_source = False
myst_heading_anchors = 6
# Named by its path: Sphinx stores its configuration, and functions cannot be stored.
myst_heading_slug_func = "docs.conf.anchor"
nitpicky = True
# Blocks have placeholders, which no lexer knows.
suppress_warnings = ["misc.highlighting_failure"]


def anchor(heading: str) -> str:
    """Return a forge's anchor of a heading; of a decision, its number."""
    number = re.match(r"\d{4}(?= )", heading)
    return number[0] if number else re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _add_navigation(_app: Sphinx, name: str, source: list[str]) -> None:
    if name != INDEX:
        return
    for caption, text in re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", source[0], re.DOTALL | re.MULTILINE):
        linked = dict.fromkeys(re.findall(r"\]\(([^)#]+)\.md[)#]", text))
        pages = "\n".join(f"/{(ROOT / 'docs' / page).resolve().relative_to(ROOT)}" for page in linked)
        source[0] += f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{pages}\n```\n"


def _lead_to_index(app: Sphinx, _failure: Exception | None) -> None:
    page = f'<!doctype html><title>Bursar</title><meta http-equiv="refresh" content="0; url={INDEX}.html">'
    (Path(app.outdir) / "index.html").write_text(page)


def setup(app: Sphinx) -> None:
    """Register the handlers of the build."""
    app.connect("source-read", _add_navigation)
    app.connect("build-finished", _lead_to_index)
