"""HTTP responses with the files of documents."""

from typing import Any

from starlette.responses import Response

from domain.common.errors import DocumentNoEinvoice
from models.billing.document import StoredDocument

PDF, XML = "application/pdf", "application/xml"
PDF_RESPONSE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The document.", "content": {PDF: {"schema": {"type": "string", "format": "binary"}}}}
}
XML_RESPONSE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The electronic invoice.", "content": {XML: {"schema": {"type": "string"}}}}
}


def as_pdf(document: StoredDocument) -> Response:
    return Response(document.pdf, media_type=PDF, headers=_headers(document, "pdf"))


def as_xml(document: StoredDocument) -> Response:
    if document.xml is None:
        raise DocumentNoEinvoice(
            "This document has no electronic invoice: its tax, or the address of the seller or the buyer, is missing."
        )
    return Response(document.xml, media_type=XML, headers=_headers(document, "xml"))


def _headers(document: StoredDocument, suffix: str) -> dict[str, str]:
    # A number is of our own making: letters, digits, - and _.
    return {
        "Content-Disposition": f'inline; filename="{document.number}.{suffix}"',
        "ETag": f'"{document.sha256}-{suffix}"',
        "Cache-Control": "private, no-cache",
        "X-Content-Type-Options": "nosniff",
    }
