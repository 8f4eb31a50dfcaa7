"""Spend controls and their versions, in the schema `ledger`. Only `ledger.write_control` writes them."""

import uuid
from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, LargeBinary, SmallInteger, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, BOOLEAN, UUID
from sqlalchemy.orm import Mapped, mapped_column

from models.books.ledger import SCHEMA
from models.common.base import Base

_ARRAYS_AGREE = (
    "cardinality(amounts) = cardinality(windows) AND cardinality(uses) = cardinality(windows)"
    " AND cardinality(hard) = cardinality(windows)"
)
_WINDOWS = "windows <@ ARRAY['hour', 'day', 'week', 'month', 'quarter', 'lifetime'] AND cardinality(windows) <= 6"
_LIMITS = "0 <= ALL (amounts) AND 0 <= ALL (uses) AND per_spend >= 0 AND 0 < ALL (thresholds_e4)"
_TERM = "starts_at < ends_at"
_POOLS = (
    "0 <= ALL (ARRAY[reserve, emergency, carry_over, may_draw_reserve])"
    " AND (pools_of IS NULL OR kind = 'budget' AND pools_of = ANY (windows))"
    " AND (pools_of IS NOT NULL"
    " OR num_nonnulls(reserve, emergency, carry_over, may_draw_reserve, emergency_until) = 0)"
)
_STATUS = "status IN ('active', 'frozen', 'closed')"


class SpendControl(Base):
    """Limits on the spends by or for one subject. Locked by its organization's credits; rows are never deleted.

    Arrays have one element for each window, in the same order. Amounts are minor units of `asset`.

    Attributes:
        kind: `limit`, `budget`, which may have pools, or `mandate`.
        subject_kind: `organization`, `department`, `project`, `agent`, `run` or `key`.
        subject_id: the id of the subject.
        parent_id: the control above, whose limits apply here too.
        path: the ids from the topmost control to this one.
        zone: the IANA time zone in which windows begin; never changes, like the asset and the first day of the week.
        week_starts: 1, Monday, to 7, Sunday.
        status: `active`; `frozen`: nothing can be spent; `closed`: it no longer applies.
        version: counts its changes.
        windows: `hour`, `day`, `week`, `month`, `quarter`, `lifetime`, each at most once.
        amounts: the limit of each window; 0 allows nothing, null sets no limit.
        uses: the maximum number of spends in each window; null sets no limit.
        hard: whether the limit refuses spends; otherwise it raises alerts only.
        per_spend: the maximum of one spend.
        thresholds_e4: the parts of a limit, in ten-thousandths, that raise an alert when they are reached.
        starts_at: when it begins to apply; null: always.
        ends_at: when it ceases to apply; null: never.
        pools_of: the window of a budget that has pools; the fields below require it.
        reserve: the part of that window's amount for approved draws and the allowance of agents.
        emergency: the part of it that can be drawn while an emergency is declared.
        carry_over: the maximum that a window carries over from the operating pool of the previous one.
        may_draw_reserve: the maximum that agents below may draw from the reserve in a window without approval.
        emergency_until: the end of the last declared emergency.
    """

    __tablename__ = "controls"
    __table_args__ = (
        CheckConstraint("kind IN ('limit', 'budget', 'mandate')", name="kind"),
        CheckConstraint(
            "subject_kind IN ('organization', 'department', 'project', 'agent', 'run', 'key')"
            " AND (subject_kind <> 'organization' OR subject_id = org_id)",
            name="subject",
        ),
        CheckConstraint("cardinality(path) BETWEEN 1 AND 6 AND path[cardinality(path)] = id", name="path"),
        CheckConstraint("week_starts BETWEEN 1 AND 7", name="week_starts"),
        CheckConstraint(_STATUS, name="status"),
        CheckConstraint(_ARRAYS_AGREE, name="arrays"),
        CheckConstraint(_WINDOWS, name="windows"),
        CheckConstraint(_LIMITS, name="limits"),
        CheckConstraint(_TERM, name="term"),
        CheckConstraint(_POOLS, name="pools"),
        Index(
            "uq_controls_subject",
            "org_id",
            "kind",
            "subject_kind",
            "subject_id",
            "asset",
            unique=True,
            postgresql_where=text("status <> 'closed'"),
        ),
        Index("ix_controls_org_id_id", "org_id", "id"),
        {"schema": SCHEMA},
    )

    id: Mapped[uuid.UUID] = mapped_column(UUID(as_uuid=True), primary_key=True)
    org_id: Mapped[str]
    kind: Mapped[str]
    subject_kind: Mapped[str]
    subject_id: Mapped[str]
    path: Mapped[list[uuid.UUID]] = mapped_column(ARRAY(UUID(as_uuid=True)))
    asset: Mapped[str]
    zone: Mapped[str]
    week_starts: Mapped[int] = mapped_column(SmallInteger)
    parent_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("ledger.controls.id"))
    status: Mapped[str]
    version: Mapped[int] = mapped_column(Integer)
    windows: Mapped[list[str]] = mapped_column(ARRAY(Text))
    amounts: Mapped[list[int | None]] = mapped_column(ARRAY(BigInteger))
    uses: Mapped[list[int | None]] = mapped_column(ARRAY(BigInteger))
    hard: Mapped[list[bool]] = mapped_column(ARRAY(BOOLEAN))
    per_spend: Mapped[int | None]
    thresholds_e4: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    starts_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]
    pools_of: Mapped[str | None]
    reserve: Mapped[int | None]
    emergency: Mapped[int | None]
    carry_over: Mapped[int | None]
    may_draw_reserve: Mapped[int | None]
    emergency_until: Mapped[datetime | None]
    created_at: Mapped[datetime]


class SpendControlVersion(Base):
    """A version of a control, written by one command. Immutable.

    Attributes:
        changed_by: the principal that made the change.
        reason: as stated by the principal.
        request_hash: of the command's contents, to distinguish a repeat from another command with the same id.
    """

    __tablename__ = "control_versions"
    __table_args__ = (
        Index("ix_control_versions_changed_at", "changed_at", postgresql_where=text("version > 1")),
        {"schema": SCHEMA},
    )

    control_id: Mapped[uuid.UUID] = mapped_column(
        UUID(as_uuid=True), ForeignKey("ledger.controls.id"), primary_key=True
    )
    org_id: Mapped[str]
    parent_id: Mapped[uuid.UUID | None] = mapped_column(UUID(as_uuid=True))
    status: Mapped[str]
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    windows: Mapped[list[str]] = mapped_column(ARRAY(Text))
    amounts: Mapped[list[int | None]] = mapped_column(ARRAY(BigInteger))
    uses: Mapped[list[int | None]] = mapped_column(ARRAY(BigInteger))
    hard: Mapped[list[bool]] = mapped_column(ARRAY(BOOLEAN))
    per_spend: Mapped[int | None]
    thresholds_e4: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    starts_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]
    pools_of: Mapped[str | None]
    reserve: Mapped[int | None]
    emergency: Mapped[int | None]
    carry_over: Mapped[int | None]
    may_draw_reserve: Mapped[int | None]
    emergency_until: Mapped[datetime | None]
    changed_by: Mapped[str]
    reason: Mapped[str | None]
    command_id: Mapped[str] = mapped_column(unique=True)
    request_hash: Mapped[bytes] = mapped_column(LargeBinary)
    changed_at: Mapped[datetime]
