"""Alerts: what an operator or an organization should look at."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Computed, Index, false, func, text, true
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base

#: What an organization has seen of its own is acknowledged; what operators should look at, they acknowledge.
STATUS_SQL = (
    "CASE WHEN resolved_at IS NOT NULL THEN 'resolved' "
    "WHEN acknowledged_at IS NOT NULL OR (org_acknowledged_at IS NOT NULL AND NOT for_operators) THEN 'acknowledged' "
    "ELSE 'firing' END"
)


class Alert(Base):
    """One thing that needs a person. Raised by the platform, once for each `key`; see `domain.messages.alert.life`.

    An organization acknowledges and snoozes what it reads for itself: an alert that is for operators too stays as it is
    for them. A trigger refuses that it resolves one of these.

    Attributes:
        key: what makes the alert one: raising it again with the same key changes nothing.
        kind: dotted, `escrow.dispute_undecided`; or the name of the rule that raised it.
        subject: the id of what it is about.
        status: `firing`, `acknowledged` or `resolved`, as those see it whom it is for; it follows from the times.
        severity: `info`, `warning` or `critical`.
        shared: whether the organization that it is about reads it too.
        for_operators: whether an operator should look at it; what is not, operators find by its organization only.
        acknowledged_at: set when it is resolved, too.
        snoozed_until: until when operators hear nothing of it; `org_snoozed_until`, its organization.
        resolved_by: who; `books` when its case was closed by what was booked.
        notified_at: when it was written down who is to hear of it; null while that is not done.
        rule_id: of the rule that raised it, in its `window`; both are null where code did.
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
