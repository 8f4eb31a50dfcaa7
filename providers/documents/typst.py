"""Makes PDFs from a template by typst, which runs inside this process and reads nothing but its own folder.

A document's texts go in as JSON, as data: nothing that somebody wrote is read as markup. The same document gives the
same bytes, because the fonts are those that come with typst, and the time is the document's own.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, time
from pathlib import Path
from threading import Lock
from typing import Any, Literal

import typst

from domain.billing.document.content import NO_BRANDING, Branding, Document
from providers.documents.display import format_document

#: The template that comes with the product; an operator's folder has one of the same name.
TEMPLATES = Path(__file__).parent / "templates"
TEMPLATE = "document.typ"
#: PDF for archives that may hold a file, as an electronic invoice in it is one.
ARCHIVE: Literal["a-3b"] = "a-3b"
#: Without tags for screen readers: they are an object for each cell, and make embedding ten times as slow.
_PDF: Mapping[str, Any] = {"format": "pdf", "pdf_tags": False}


class WrongTemplate(ValueError):
    """A template cannot be used: there is none, or typst refuses it; the text says where."""


class Typst:
    """Renders documents. One compiler is kept, so that only the first document pays for fonts and template."""

    def __init__(self, templates: Path | None = None, look: Branding = NO_BRANDING) -> None:
        """Take an operator's folder with `document.typ` and fonts in its folder `fonts`, or None, and the look.

        Raises:
            WrongTemplate: the folder has no template.
        """
        root = templates or TEMPLATES
        if not (root / TEMPLATE).is_file():
            raise WrongTemplate(f"{root} has no file {TEMPLATE}.")
        fonts = typst.Fonts(include_system_fonts=False, font_paths=[str(root / "fonts")])
        self._compiler = typst.Compiler(input=str(root / TEMPLATE), root=str(root), font_paths=fonts)
        self._look = {"logo": look.logo, "accent": look.accent}
        # A compiler works on one document at a time.
        self._lock = Lock()

    def pdf(self, document: Document) -> bytes:
        """Make the PDF; see `render`."""
        return self.render(document)[0]

    def render(self, document: Document) -> tuple[bytes, bool]:
        """Make the PDF, and say whether the fonts have all of its characters: then it has the form for archives.

        Raises:
            WrongTemplate: typst refuses the template.
        """
        try:
            return self._compile(document, pdf_standards=[ARCHIVE], **_PDF), True
        except WrongTemplate:
            # A name in a script that no font has: a PDF with empty boxes in place of it, which no archive takes.
            return self._compile(document, **_PDF), False

    def pictures(self, document: Document, *, pixels_per_inch: int = 80) -> list[bytes]:
        """Make a PNG of each page, for people who look at what a change did."""
        made = self._compile(document, format="png", ppi=pixels_per_inch)
        return made if isinstance(made, list) else [made]

    def _compile(self, document: Document, **options: Any) -> Any:
        inputs = {"document": json.dumps(format_document(document) | self._look)}
        at = datetime.combine(document.issued_on, time(), tzinfo=UTC)
        try:
            with self._lock:
                return self._compiler.compile(sys_inputs=inputs, timestamp=at, **options)
        except typst.TypstError as error:
            raise WrongTemplate(f"typst refused the template: {error.message}") from error
