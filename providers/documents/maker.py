"""Makes the files of a document: its PDF, with the electronic invoice inside where it is one."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from domain.billing.document.content import NO_BRANDING, Branding, Document, missing_for_einvoice
from providers.documents.facturx import embed_invoice, invoice_xml
from providers.documents.typst import Typst


@dataclass(frozen=True, slots=True)
class DocumentFiles:
    """The files of a document.

    Attributes:
        pdf: the document.
        xml: the electronic invoice; None where the document lacks what one must have.
        has_boxes: whether empty boxes stand in the PDF for characters that no font has.
    """

    pdf: bytes
    xml: bytes | None
    has_boxes: bool = False


class DocumentMaker:
    """Makes files, in threads: a page takes some ten milliseconds of a processor."""

    def __init__(self, templates: Path | None = None, look: Branding = NO_BRANDING) -> None:
        """Take an operator's folder of templates, None for the product's own, and the look.

        Raises:
            WrongTemplate: the folder has no template.
        """
        self._typst = Typst(templates, look)

    async def make(self, document: Document) -> DocumentFiles:
        """Make the files.

        Raises:
            WrongTemplate: typst refuses the template.
        """
        return await asyncio.to_thread(self.make_now, document)

    def make_now(self, document: Document) -> DocumentFiles:
        """Make the files in this thread."""
        pdf, is_whole = self._typst.render(document)
        if missing_for_einvoice(document):
            return DocumentFiles(pdf=pdf, xml=None, has_boxes=not is_whole)
        xml = invoice_xml(document)
        return DocumentFiles(pdf=embed_invoice(pdf, xml, document), xml=xml, has_boxes=not is_whole)
