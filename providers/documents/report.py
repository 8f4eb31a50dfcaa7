"""Makes the PDFs of reports by typst: the same report gives the same bytes, because no file says when it was made."""

import json
from pathlib import Path
from threading import Lock

import typst

from domain.insight.report_file import ReportContent, pdf_data
from providers.documents.typst import TEMPLATES

TEMPLATE = "report.typ"


class ReportMaker:
    """Renders reports. One compiler is kept, which works on one report at a time."""

    def __init__(self, templates: Path | None = None) -> None:
        """Take an operator's folder, whose own `report.typ` is used if it has one, and whose fonts are."""
        root = templates if templates is not None and (templates / TEMPLATE).is_file() else TEMPLATES
        fonts = typst.Fonts(include_system_fonts=False, font_paths=[str((templates or root) / "fonts")])
        self._compiler = typst.Compiler(input=str(root / TEMPLATE), root=str(root), font_paths=fonts)
        self._lock = Lock()

    def pdf(self, paper: ReportContent) -> bytes:
        """Make the PDF, dated when the figures are of."""
        with self._lock:
            made = self._compiler.compile(
                sys_inputs={"report": json.dumps(pdf_data(paper))}, timestamp=paper.as_of, format="pdf", pdf_tags=False
            )
        assert isinstance(made, bytes)
        return made
