"""Documents that were made."""

import hashlib
from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.billing.document.content import Document
from models.billing.document import StoredDocument


async def latest(session: AsyncSession, subject: str) -> StoredDocument | None:
    query = select(StoredDocument).where(StoredDocument.subject == subject).order_by(StoredDocument.version.desc())
    return (await session.scalars(query.limit(1))).one_or_none()


async def subjects(session: AsyncSession, wanted: Collection[str]) -> set[str]:
    query = select(StoredDocument.subject).where(StoredDocument.subject.in_(wanted))
    return set(await session.scalars(query))


async def add(
    session: AsyncSession,
    document_id: str,
    org_id: str,
    subject: str,
    version: int,
    content: Document,
    *,
    pdf: bytes,
    xml: bytes | None,
) -> StoredDocument:
    await session.execute(
        insert(StoredDocument)
        .values(
            id=document_id,
            org_id=org_id,
            kind=content.kind.value,
            subject=subject,
            version=version,
            number=content.number,
            total_minor=content.total_minor,
            content=content.as_stored(),
            pdf=pdf,
            xml=xml,
            sha256=hashlib.sha256(pdf).hexdigest(),
        )
        .on_conflict_do_nothing(index_elements=["subject", "version"])
    )
    query = select(StoredDocument).where(StoredDocument.subject == subject, StoredDocument.version == version)
    return (await session.scalars(query)).one()
