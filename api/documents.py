"""Documents over HTTP: made when they are first asked for, kept, and the same ever after."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from domain.document.content import Document, Party
from domain.errors import Conflict
from models.document import StoredDocument
from repositories import document as documents
from runtime.database import Database
from runtime.identity import new_id

if TYPE_CHECKING:
    from providers.documents.maker import DocumentMaker

PDF, XML = "application/pdf", "application/xml"
PDF_RESPONSE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The document.", "content": {PDF: {"schema": {"type": "string", "format": "binary"}}}}
}
XML_RESPONSE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The electronic invoice.", "content": {XML: {"schema": {"type": "string"}}}}
}


@dataclass(frozen=True, slots=True)
class Unmade:
    """A document that is not there yet."""

    org_id: str
    subject: str
    version: int
    content: Document


class Documents:
    """Finds documents, and makes those that are not there."""

    def __init__(self, database: Database, maker: "Callable[[], DocumentMaker]", seller: Party | None) -> None:
        """Take what makes the maker, which is made with the first document, and who sells."""
        self._database, self._make_maker, self.seller = database, maker, seller
        self._maker: DocumentMaker | None = None

    async def find(
        self,
        session: AsyncSession,
        org_id: str,
        subject: str,
        content: Callable[[], Awaitable[Document]],
        *,
        total_minor: int,
    ) -> StoredDocument | Unmade:
        """Return the document of a subject, or what it has to say where there is none that comes to this total.

        Args:
            session: the caller's, who may see the subject.
            org_id: whose document it is.
            subject: the id of what it is about.
            content: says what the document says, by the same session.
            total_minor: what the subject comes to now.
        """
        found = await documents.latest(session, subject)
        if found is not None and found.total_minor == total_minor:
            return found
        return Unmade(org_id, subject, 1 if found is None else found.version + 1, await content())

    async def made(self, wanted: StoredDocument | Unmade) -> StoredDocument:
        """Return the document, made now where it was not there. No transaction is open meanwhile."""
        if isinstance(wanted, StoredDocument):
            return wanted
        self._maker = self._maker or self._make_maker()
        files = await self._maker.make(wanted.content)
        async with self._database.platform() as session:
            return await documents.add(
                session,
                new_id("doc"),
                wanted.org_id,
                wanted.subject,
                wanted.version,
                wanted.content,
                pdf=files.pdf,
                xml=files.xml,
            )


def as_pdf(document: StoredDocument) -> Response:
    """Answer with the PDF."""
    return Response(document.pdf, media_type=PDF, headers=_headers(document, "pdf"))


def as_xml(document: StoredDocument) -> Response:
    """Answer with the electronic invoice.

    Raises:
        Conflict: the document is none, because something lacks that one must have.
    """
    if document.xml is None:
        raise Conflict(
            "This is no electronic invoice: its tax, or the address of the seller or the buyer, is missing.",
            code="document.no_einvoice",
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
