"""Reports, and the files of their runs."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Text

from models.common.base import Base


class Report(Base):
    """One report. Written by the platform's role; ended, never deleted.

    Attributes:
        org_id: the organization that it is about; null for the platform's.
        definition: what the next run is made by, see `domain.insight.report.ReportDefinition`.
        next_definition: what it is replaced by when that run has been made; null if nothing was changed.
        recipients: the principals who are notified of each run.
        period_from: when the period of the next run begins.
        due_at: when that run is made: the period and its late window are over then; null once the report has ended.
    """

    __tablename__ = "reports"
    __table_args__ = (
        CheckConstraint("(due_at IS NULL) = (ended_at IS NOT NULL)", name="due"),
        Index("ix_reports_org_id_id", "org_id", "id"),
        Index("ix_reports_due_at", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str | None] = mapped_column(ForeignKey("organizations.id"))
    definition: Mapped[dict[str, Any]] = mapped_column(JSONB)
    next_definition: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    recipients: Mapped[list[str]] = mapped_column(ARRAY(Text))
    period_from: Mapped[datetime]
    due_at: Mapped[datetime | None]
    created_by: Mapped[str]
    command_id: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    ended_at: Mapped[datetime | None]


class ReportRun(Base):
    """One version of one period of a report. Written once by the platform, deleted after its time.

    Attributes:
        number: counts the runs of the report from 1.
        period: the period's name, such as `2026-W13`.
        version: counts the versions of the period from 1; a later one has other figures.
        definition: what it was made by.
        content: the figures, see `domain.insight.report_file.section_of`, and the names of what they are about.
        sha256: of the file, in hexadecimal digits.
        told: the principals who were notified.
        left_out: the other recipients, each with the reason: `no_key`, `not_permitted` or `switched_off`.
        look_again_at: when the period is to be computed once more; null once it was. Nothing else changes.
    """

    __tablename__ = "report_runs"
    __table_args__ = (
        CheckConstraint("sha256 = encode(sha256(file), 'hex')", name="sha256"),
        UniqueConstraint("report_id", "period", "version", name="uq_report_runs_version"),
        Index("ix_report_runs_made_at", "made_at"),
        Index("ix_report_runs_look_again_at", "look_again_at", postgresql_where=text("look_again_at IS NOT NULL")),
    )

    report_id: Mapped[str] = mapped_column(ForeignKey("reports.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    org_id: Mapped[str | None] = mapped_column(ForeignKey("organizations.id"))
    period: Mapped[str]
    version: Mapped[int]
    definition: Mapped[dict[str, Any]] = mapped_column(JSONB)
    content: Mapped[dict[str, Any]] = mapped_column(JSONB)
    file: Mapped[bytes] = mapped_column(LargeBinary, deferred=True, info={"holds": "free_text"})
    sha256: Mapped[str]
    told: Mapped[list[str]] = mapped_column(ARRAY(Text), info={"holds": "contact"})
    left_out: Mapped[dict[str, str]] = mapped_column(JSONB, info={"holds": "contact"})
    made_at: Mapped[datetime]
    look_again_at: Mapped[datetime | None]
