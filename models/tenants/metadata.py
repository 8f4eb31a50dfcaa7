"""What organizations write on objects: ids of their own, and metadata."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Computed, ForeignKey, Index, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base

_PREFIX = "split_part(object_id, '_', 1)"


class ObjectMetadata(Base):
    """What one organization has written on one object. Of an object with several parties each has a row of its own.

    Written with the object, and by changes of either. A tenant sees its own rows only.

    Attributes:
        prefix: the kind of the object: the prefix of its id.
        pairs: the metadata; the column is `metadata`.
        version: counts the changes; of organizations, agents and projects, their own version counts instead.
        command_id: of the latest change, which is made once by it.
    """

    __tablename__ = "object_metadata"
    __table_args__ = (
        CheckConstraint("jsonb_typeof(metadata) = 'object'", name="metadata"),
        CheckConstraint("length(external_id) BETWEEN 1 AND 200", name="external_id"),
        # The owner last, so that operators find an id whose owner they do not know.
        Index(
            "uq_object_metadata_external_id",
            *("prefix", "external_id", "org_id"),
            unique=True,
            postgresql_where=text("external_id IS NOT NULL"),
        ),
        # Organizations are the platform's.
        Index(
            "uq_object_metadata_organization",
            "external_id",
            unique=True,
            postgresql_where=text("external_id IS NOT NULL AND prefix = 'org'"),
        ),
    )

    object_id: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"), primary_key=True)
    prefix: Mapped[str] = mapped_column(Computed(_PREFIX, persisted=True))
    external_id: Mapped[str | None]
    pairs: Mapped[dict[str, str]] = mapped_column("metadata", JSONB, server_default="{}", info={"holds": "free_text"})
    version: Mapped[int] = mapped_column(server_default=text("1"))
    command_id: Mapped[str]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class MetadataPair(Base):
    """One key of metadata with its value, for lists that are narrowed to it. Written by a trigger alone.

    The index is in the order of the lists, so a page is read from it however many objects have the value.
    """

    __tablename__ = "metadata_pairs"

    prefix: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True, info={"holds": "free_text"})
    value: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str] = mapped_column(primary_key=True)
    object_id: Mapped[str] = mapped_column(primary_key=True)
