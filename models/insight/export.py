"""Exports and their files."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class ExportRow(Base):
    """An export. Written by the platform's role; a tenant inserts and reads its own.

    Attributes:
        org_id: the organization; None for all.
        since, until: the period of recording; `until` is exclusive.
        horizon: the transaction id below which all transactions had ended when the export began to read.
        rows_done: the number of rows in finished files.
    """

    __tablename__ = "exports"
    __table_args__ = (
        UniqueConstraint("command_id"),
        Index("ix_exports_org_id_id", "org_id", "id"),
        Index("ix_exports_kept", "org_id", postgresql_where=text("status <> 'expired'")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str | None] = mapped_column(ForeignKey("organizations.id"))
    dataset: Mapped[str]
    format: Mapped[str]
    since: Mapped[datetime]
    until: Mapped[datetime]
    status: Mapped[str]
    horizon: Mapped[int | None]
    rows_done: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    created_by: Mapped[str]
    command_id: Mapped[str]
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]


class ExportFileRow(Base):
    """A finished file of an export. Written by the platform's role. Immutable.

    Attributes:
        number: from 1.
        sums: the sum of the dataset's amount in minor units, by asset.
        last: the key of its last row, after which the next file begins.
    """

    __tablename__ = "export_files"

    export_id: Mapped[str] = mapped_column(ForeignKey("exports.id"), primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    org_id: Mapped[str | None]
    rows: Mapped[int] = mapped_column(BigInteger)
    bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str]
    sums: Mapped[dict[str, int]] = mapped_column(JSONB)
    last: Mapped[list[Any]] = mapped_column(JSONB)
