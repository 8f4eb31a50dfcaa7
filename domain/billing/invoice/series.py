"""The series that documents take their numbers from: one per legal entity and type of document, each without gaps."""

import re
from enum import StrEnum

from domain.common.errors import Invalid

_ENTITY = re.compile(r"[A-Z][A-Z0-9]{1,7}")


class DocumentType(StrEnum):
    """The types of numbered documents; the value is the name of the series.

    A receipt note credits a receipt. A statement is a creator's self-billing, and its correction credits a part of it.
    """

    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"
    RECEIPT = "receipt"
    RECEIPT_NOTE = "receipt_note"
    STATEMENT = "statement"
    STATEMENT_CORRECTION = "statement_correction"


_PREFIXES = {
    DocumentType.INVOICE: "INV",
    DocumentType.CREDIT_NOTE: "CRN",
    DocumentType.RECEIPT: "RCP",
    DocumentType.RECEIPT_NOTE: "RCN",
    DocumentType.STATEMENT: "STM",
    DocumentType.STATEMENT_CORRECTION: "STC",
}


def series_of(document: DocumentType, entity: str | None = None) -> str:
    """Name the series of a document that a legal entity issues; without an entity it is the deployment's first one.

    Raises:
        Invalid: the entity's code is not 2 to 8 capital letters and digits, or looks like a type.
    """
    if entity is None:
        return document.value
    if not _ENTITY.fullmatch(entity) or entity in _PREFIXES.values():
        raise Invalid(
            "The code of a legal entity must be 2 to 8 capital letters and digits.", extra={"field": "entity"}
        )
    return f"{document.value}/{entity}"


def entity_of(series: str) -> str | None:
    """Return the code of the legal entity of a series; None for the deployment's first one."""
    return series.partition("/")[2] or None


def number_text(number: int, series: str = DocumentType.INVOICE.value) -> str:
    """Write a number of a series as people read it: `INV-000042`, `CRN-000001`, or `ACME-INV-000042` of an entity."""
    return f"{prefix_of(series)}{number:06d}"


def prefix_of(series: str) -> str:
    """Return the prefix of a series' numbers."""
    name, _, entity = series.partition("/")
    prefix = _PREFIXES[DocumentType(name)]
    return f"{entity}-{prefix}-" if entity else f"{prefix}-"
