"""Alerts: what an operator or an organization should look at."""

from datetime import datetime

from sqlalchemy import Index, false, func, text, true
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class Alert(Base):
    """One thing that needs a person. Written by the platform only, once for each `key`; acknowledged by an operator.

    An organization acknowledges what it reads for itself: an alert that is for operators too stays open for them.

    Attributes:
        key: what makes the alert one: raising it again with the same key changes nothing.
        kind: dotted, `escrow.dispute_undecided`.
        subject: the id of what it is about.
        shared: whether the organization that it is about reads it too.
        for_operators: whether an operator should look at it; what is not, operators find by its organization only.
    """

    __tablename__ = "alerts"
    __table_args__ = (
        Index("ix_alerts_open", "id", postgresql_where=text("acknowledged_at IS NULL AND for_operators")),
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
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    org_id: Mapped[str | None]
    kind: Mapped[str]
    subject: Mapped[str]
    detail: Mapped[str]
    shared: Mapped[bool] = mapped_column(server_default=false())
    for_operators: Mapped[bool] = mapped_column(server_default=true())
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[str | None]
    org_acknowledged_at: Mapped[datetime | None]
    org_acknowledged_by: Mapped[str | None]
