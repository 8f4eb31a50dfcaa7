"""Renders and stores documents: outside of any transaction, once for each."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Self

from sqlalchemy.ext.asyncio import AsyncSession

from domain.billing.document.content import NO_BRANDING, Branding, Document, Party
from domain.billing.legal_entity import LegalEntities
from domain.common.errors import UnknownEntity
from models.billing.document import StoredDocument
from models.billing.invoice import InvoiceRow
from repositories.billing import document as documents
from repositories.messages import alert
from runtime.database import Database
from runtime.identity import new_id
from services.billing import document

if TYPE_CHECKING:
    from providers.documents.maker import DocumentMaker

#: The alert that the document of an issued invoice could not be rendered.
RENDERING_FAILED = "document.not_made"
#: The alert that a document has empty boxes, such as for a name in Chinese without a font that has it.
HAS_BOXES = "document.has_boxes"


@dataclass(frozen=True, slots=True)
class PendingDocument:
    """A document that is not rendered yet."""

    org_id: str
    subject: str
    version: int
    content: Document


class Documents:
    """Finds documents, and renders missing ones."""

    def __init__(self, database: Database, maker: "Callable[[], DocumentMaker]", entities: LegalEntities) -> None:
        """Take the renderer's factory, called for the first document, and the sellers."""
        self._database, self._make_maker, self.entities = database, maker, entities
        self._maker: DocumentMaker | None = None

    @classmethod
    def of(
        cls, database: Database, templates: Path | None, entities: LegalEntities, look: Branding = NO_BRANDING
    ) -> Self:
        """Return the documents of a deployment, with an operator's folder of templates or the product's own."""
        return cls(database, lambda: _maker(templates, look), entities)

    def seller_of(self, series: str) -> Party | None:
        """Return the seller of a series; None if none is configured."""
        try:
            return self.entities.of_series(series).seller
        except UnknownEntity:
            return None

    async def find(
        self,
        session: AsyncSession,
        org_id: str,
        subject: str,
        content: Callable[[], Awaitable[Document]],
        *,
        total_minor: int,
    ) -> StoredDocument | PendingDocument:
        """Return the stored document of a subject, or the contents to render if none has this total.

        Args:
            session: the caller's, who may see the subject.
            org_id: the owner of the document.
            subject: the id of the invoice, payment or other subject.
            content: returns the contents of the document, by the same session.
            total_minor: the subject's total now.
        """
        found = await documents.latest(session, subject)
        if found is not None and found.total_minor == total_minor:
            return found
        return PendingDocument(org_id, subject, 1 if found is None else found.version + 1, await content())

    async def made(self, wanted: StoredDocument | PendingDocument) -> StoredDocument:
        """Return the document, rendered if it is missing. No transaction may be open."""
        if isinstance(wanted, StoredDocument):
            return wanted
        self._maker = self._maker or self._make_maker()
        files = await self._maker.make(wanted.content)
        async with self._database.platform() as session:
            if files.has_boxes:
                await alert.raise_alert(
                    session,
                    kind=HAS_BOXES,
                    subject=wanted.subject,
                    detail=f"The document of {wanted.content.number} has empty boxes for characters that no font has. "
                    "Put a font with them into the folder `fonts` of BURSAR_DOCUMENT_TEMPLATES.",
                )
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

    async def issue(self, rows: Sequence[InvoiceRow]) -> int:
        """Render the missing documents of numbered invoices, and return how many; none is rendered twice.

        Without a configured seller there are none. A failure raises an alert and does not block the others.
        """
        named = [row for row in rows if self.seller_of(row.series) is not None]
        if not named:
            return 0
        async with self._database.platform() as session:
            there = await documents.subjects(session, [row.id for row in named])
            missing = [
                PendingDocument(
                    row.org_id, row.id, 1, await document.of_invoice(session, row, self.seller_of(row.series))
                )
                for row in named
                if row.id not in there
            ]
        for each in missing:
            try:
                await self.made(each)
            except ValueError as error:
                async with self._database.platform() as session:
                    await alert.raise_alert(
                        session,
                        kind=RENDERING_FAILED,
                        subject=each.subject,
                        detail=f"The document of {each.content.number} could not be rendered: {str(error)[:300]}",
                    )
        return len(missing)


@cache
def _maker(templates: Path | None, look: Branding) -> "DocumentMaker":
    # Imported where it is used: most processes make no document.
    from providers.documents.maker import DocumentMaker

    return DocumentMaker(templates, look)
