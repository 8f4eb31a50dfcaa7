"""Alerts of operators and organizations."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Computed, Index, false, func, text, true
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base

#: The organization's acknowledgement counts only for alerts that are not for operators.
STATUS_SQL = (
    "CASE WHEN resolved_at IS NOT NULL THEN 'resolved' "
    "WHEN acknowledged_at IS NOT NULL OR (org_acknowledged_at IS NOT NULL AND NOT for_operators) THEN 'acknowledged' "
    "ELSE 'firing' END"
)


class Alert(Base):
    """An alert. Raised by the platform, once for each `key`; see `domain.messages.alert.life`.

    An organization acknowledges and snoozes for itself only, without effect on operators. A trigger refuses that it
    resolves an alert for operators.

    Attributes:
        key: the idempotency key: raising it again changes nothing.
        kind: dotted, `escrow.dispute_undecided`; or the name of the rule that raised it.
        subject: the id of the subject.
        status: `firing`, `acknowledged` or `resolved` for its audience, generated from the times.
        severity: `info`, `warning` or `critical`.
        shared: whether its organization can read it.
        for_operators: whether it is for operators, who otherwise find it by organization only.
        acknowledged_at: set at resolution, too.
        snoozed_until: the end of the snooze for operators; `org_snoozed_until`, for its organization.
        resolved_by: the principal; `books` if a booking has closed its case.
        notified_at: when its notifications were written; null before.
        rule_id: the rule that raised it, in its `window`; both are null for alerts of code.
    """

    __tablename__ = "alerts"
    __table_args__ = (
        CheckConstraint("severity IN ('info', 'warning', 'critical')", name="severity"),
        CheckConstraint(
            "(resolved_at IS NULL) = (resolved_by IS NULL) "
            "AND (resolved_at IS NULL OR num_nonnulls(acknowledged_at, org_acknowledged_at) > 0)",
            name="resolved",
        ),
        Index("ix_alerts_open", "id", postgresql_where=text("acknowledged_at IS NULL AND for_operators")),
        Index("ix_alerts_unresolved", "id", postgresql_where=text("resolved_at IS NULL")),
        # Those about a lifetime are as many as there were runs with a limit.
        Index(
            "ix_alerts_windows",
            "key",
            postgresql_where=text(
                "resolved_at IS NULL AND kind IN ('spend.threshold', 'spend.burst', 'spend.refused', "
                "'budget_80_percent') AND key NOT LIKE '%:lifetime:%'"
            ),
        ),
        Index("ix_alerts_unnotified", "id", postgresql_where=text("notified_at IS NULL")),
        Index("ix_alerts_org_id_id", "org_id", "id"),
        Index("ix_alerts_kind_id", "kind", "id"),
        Index("ix_alerts_subject_id", "subject", "id"),
        Index(
            "ix_alerts_org_id_unseen",
            "org_id",
            "id",
            postgresql_where=text("acknowledged_at IS NULL AND org_acknowledged_at IS NULL"),
        ),
        Index("ix_alerts_org_id_open", "org_id", "id", postgresql_where=text("acknowledged_at IS NULL")),
        Index("ix_alerts_org_id_unresolved", "org_id", "id", postgresql_where=text("resolved_at IS NULL")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    org_id: Mapped[str | None]
    kind: Mapped[str]
    subject: Mapped[str]
    detail: Mapped[str]
    shared: Mapped[bool] = mapped_column(server_default=false())
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[str | None]
    for_operators: Mapped[bool] = mapped_column(server_default=true())
    org_acknowledged_at: Mapped[datetime | None]
    org_acknowledged_by: Mapped[str | None]
    severity: Mapped[str] = mapped_column(server_default="warning")
    snoozed_until: Mapped[datetime | None]
    org_snoozed_until: Mapped[datetime | None]
    resolved_at: Mapped[datetime | None]
    notified_at: Mapped[datetime | None]
    resolved_by: Mapped[str | None]
    rule_id: Mapped[str | None]
    window: Mapped[str | None]
    status: Mapped[str] = mapped_column(Computed(STATUS_SQL, persisted=True))
