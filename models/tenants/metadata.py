"""External ids and metadata that organizations set on objects."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Computed, ForeignKey, Index, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base

_PREFIX = "split_part(object_id, '_', 1)"


class ObjectMetadata(Base):
    """External id and metadata of an organization for an object. Each party of an object has its own row.

    Written with the object, and by changes. A tenant sees its own rows only.

    Attributes:
        prefix: the prefix of the object's id.
        pairs: the metadata; the column is `metadata`.
        version: counts changes; organizations, agents and projects have their own version instead.
        command_id: the idempotency key of the latest change.
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
    """Key and value of metadata, for filters of lists. Written by a trigger only.

    The index has the order of the lists, so that a page is read from it, whatever the number of objects.
    """

    __tablename__ = "metadata_pairs"

    prefix: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True, info={"holds": "free_text"})
    value: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str] = mapped_column(primary_key=True)
    object_id: Mapped[str] = mapped_column(primary_key=True)
