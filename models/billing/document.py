"""Rendered documents, stored as they were sent."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class StoredDocument(Base):
    """A document: its contents and its files. Written once by the platform; never changed or deleted.

    Attributes:
        subject: the id of its invoice, payment or credit note.
        version: counts the documents of the subject from 1; an invoice has one, and a payment another one when more
            money was received.
        total_minor: the total, in minor units of its currency.
        content: see `domain.billing.document.content.Document.as_stored`.
        xml: the electronic invoice, which the PDF contains as well; null for other documents.
        sha256: of the PDF, in hexadecimal digits.
    """

    __tablename__ = "documents"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('invoice', 'receipt', 'credit_note', 'statement', 'statement_correction')", name="kind"
        ),
        CheckConstraint("sha256 = encode(sha256(pdf), 'hex')", name="sha256"),
        UniqueConstraint("subject", "version", name="uq_documents_subject_version"),
        Index("ix_documents_org_id_id", "org_id", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    kind: Mapped[str]
    subject: Mapped[str]
    number: Mapped[str]
    version: Mapped[int]
    total_minor: Mapped[int]
    content: Mapped[dict[str, Any]] = mapped_column(JSONB, info={"holds": "contact"})
    pdf: Mapped[bytes] = mapped_column(LargeBinary)
    xml: Mapped[bytes | None] = mapped_column(LargeBinary)
    sha256: Mapped[str] = mapped_column(info={"holds": "identifier"})
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
