"""Cases of suspected fraud, with their timeline and what they hold."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, Integer, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from domain.risk.case import CaseKind, CaseStatus, HoldKind
from models.common.base import Base

_KINDS = ", ".join(f"'{kind}'" for kind in CaseKind)
_STATUSES = ", ".join(f"'{status}'" for status in CaseStatus)
_HOLDS = ", ".join(f"'{kind}'" for kind in HoldKind)


class RiskCase(Base):
    """A case, as its run `risk-case/{id}` last wrote it. One case of a kind and group waits for its first decision.

    Attributes:
        state: of `domain.risk.case.Case`; the columns `org_ids` and `value_minor` are newer than it.
        group: an organization, a decision that is appealed, or `ring:…` of a group.
        org_ids: the affected organizations, who see it.
        value_minor: the money at stake, in cents.
        due_at: when the next deadline of the case acts.
    """

    __tablename__ = "risk_cases"
    __table_args__ = (
        CheckConstraint(f"kind IN ({_KINDS}) AND status IN ({_STATUSES})", name="kind"),
        Index(
            "uq_risk_cases_open",
            "kind",
            "group",
            unique=True,
            postgresql_where=text("status IN ('open', 'assigned', 'waiting')"),
        ),
        # A decision that blocked an act is appealed once.
        Index("uq_risk_cases_appeal", "group", unique=True, postgresql_where=text("kind = 'appeal'")),
        Index("ix_risk_cases_status_id", "status", "id"),
        Index("ix_risk_cases_org_ids", "org_ids", postgresql_using="gin"),
        Index("ix_risk_cases_due_at", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    status: Mapped[str]
    group: Mapped[str]
    org_ids: Mapped[list[str]] = mapped_column(ARRAY(Text))
    state: Mapped[dict[str, Any]] = mapped_column(JSONB)
    version: Mapped[int] = mapped_column(Integer)
    value_minor: Mapped[int]
    assigned_to: Mapped[str | None]
    due_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class RiskCaseEvent(Base):
    """An event of a case. Immutable."""

    __tablename__ = "risk_case_events"
    __table_args__ = (UniqueConstraint("case_id", "command_id"),)

    case_id: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    kind: Mapped[str]
    actor: Mapped[str]
    command_id: Mapped[str]
    details: Mapped[dict[str, Any]] = mapped_column(JSONB)
    at: Mapped[datetime]


class RiskHold(Base):
    """An object that a case holds until it is decided, or at the latest until `until`.

    Attributes:
        subject: the id of the held object, see `domain.risk.case.HoldKind`.
        ended_at: when the case released or took it.
    """

    __tablename__ = "risk_holds"
    __table_args__ = (
        CheckConstraint(f"kind IN ({_HOLDS})", name="kind"),
        Index("ix_risk_holds_subject", "kind", "subject", postgresql_where=text("ended_at IS NULL")),
    )

    case_id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str]
    until: Mapped[datetime]
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
