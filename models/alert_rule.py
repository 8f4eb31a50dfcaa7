"""Alert rules: what organizations and operators want to be alerted to, and where each rule stands."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, func, text, true
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Text

from models.base import Base


class AlertRule(Base):
    """One rule, or what somebody changed about a built-in one. Written by the platform's role; ended, never deleted.

    Attributes:
        org_id: whose it is; null for operators.
        name: the kind of its alerts, unique among those that are not ended.
        metric: of `domain.alert.metrics`; null for a built-in rule, whose figure and condition are in code.
        filters: what the metric is narrowed to.
        condition: as `domain.alert.conditions.Condition` writes it.
        asset: of the spend control that it watches.
        channels: ids of notification channels that hear of it besides the usual ones; null for those alone.
        ladder: who is called when nobody answers, by the names of `domain.alert.escalation.Step`; null where the rule
            says nothing of that.
        due_at: when its figure is looked at next; null while nobody looks.
    """

    __tablename__ = "alert_rules"
    __table_args__ = (
        CheckConstraint("severity IN ('info', 'warning', 'critical')", name="severity"),
        CheckConstraint(
            "(metric IS NULL) = (condition IS NULL) AND window_seconds > 0 AND cool_down_seconds >= 0", name="terms"
        ),
        CheckConstraint("cardinality(channels) > 0", name="channels"),
        CheckConstraint("cardinality(ladder) > 0", name="ladder"),
        Index(
            "uq_alert_rules_name",
            "org_id",
            "name",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
            postgresql_nulls_not_distinct=True,
        ),
        Index("ix_alert_rules_due_at", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str | None] = mapped_column(ForeignKey("organizations.id"))
    name: Mapped[str]
    description: Mapped[str | None]
    metric: Mapped[str | None]
    filters: Mapped[dict[str, Any]] = mapped_column(JSONB)
    condition: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    asset: Mapped[str | None]
    window_seconds: Mapped[int]
    cool_down_seconds: Mapped[int]
    severity: Mapped[str]
    channels: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    ladder: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    enabled: Mapped[bool] = mapped_column(server_default=true())
    due_at: Mapped[datetime | None]
    created_by: Mapped[str]
    command_id: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    ended_at: Mapped[datetime | None]


class AlertRuleStanding(Base):
    """Where a rule stands about one subject. Written by the platform's role, in the transaction of the alert.

    Attributes:
        rule: the id of the rule, or the name of a built-in one.
        subject: what the figure is of: an organization, an agent, a spend control, a provider.
        place: the window of a limit; empty where the figure has none.
        phase: see `domain.alert.firing`.
        alert_key: of the alert that it raised last.
    """

    __tablename__ = "alert_rule_standings"
    __table_args__ = (
        CheckConstraint("phase IN ('unseen', 'armed', 'firing')", name="phase"),
        Index("ix_alert_rule_standings_firing", "rule", postgresql_where=text("phase = 'firing'")),
    )

    rule: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True)
    place: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str | None] = mapped_column(ForeignKey("organizations.id"))
    phase: Mapped[str]
    good_since: Mapped[datetime | None]
    fired_at: Mapped[datetime | None]
    alert_key: Mapped[str | None]
