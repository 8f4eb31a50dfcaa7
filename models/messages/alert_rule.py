"""Alert rules of organizations and operators, and the state of each rule for each subject."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, func, text, true
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import BigInteger, Text

from models.common.base import Base


class AlertRule(Base):
    """One rule, or the override of a built-in one. Written by the platform's role; ended, never deleted.

    Attributes:
        org_id: the organization that owns it; null for a rule of operators.
        name: the kind of its alerts, unique among those that are not ended.
        metric: a name in `domain.messages.alert.metrics`; null for a built-in rule, whose metric and condition are in
            code.
        filters: the values that the metric is restricted to.
        condition: in the form that `domain.messages.alert.conditions.Condition` writes.
        asset: the asset of the spend control that it watches.
        channels: ids of notification channels that receive its alerts besides the usual ones; null for none.
        ladder: the escalation, in the fields of `domain.messages.alert.escalation.EscalationStep`; null if the rule
        does not set
            one.
        due_at: when the metric is evaluated next; null while it is not evaluated.
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
    name: Mapped[str] = mapped_column(info={"holds": "technical"})
    severity: Mapped[str]
    created_by: Mapped[str]
    command_id: Mapped[str] = mapped_column(unique=True)
    org_id: Mapped[str | None] = mapped_column(ForeignKey("organizations.id"))
    description: Mapped[str | None]
    metric: Mapped[str | None]
    asset: Mapped[str | None]
    filters: Mapped[dict[str, Any]] = mapped_column(JSONB, info={"holds": "identifier"})
    condition: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True), info={"holds": "financial"})
    window_seconds: Mapped[int]
    cool_down_seconds: Mapped[int]
    channels: Mapped[list[str] | None] = mapped_column(ARRAY(Text), info={"holds": "identifier"})
    enabled: Mapped[bool] = mapped_column(server_default=true())
    due_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    ladder: Mapped[list[str] | None] = mapped_column(ARRAY(Text))


class AlertRuleStanding(Base):
    """The state of a rule for one subject. Written by the platform's role, in the transaction of the alert.

    Attributes:
        rule: the id of the rule, or the name of a built-in one.
        subject: what is measured: an organization, an agent, a spend control or a provider.
        place: the window of a limit; empty if the metric has no windows.
        phase: see `domain.messages.alert.firing`.
        alert_key: the key of the latest alert that it raised.
    """

    __tablename__ = "alert_rule_standings"
    __table_args__ = (
        CheckConstraint("phase IN ('unseen', 'armed', 'firing')", name="phase"),
        Index("ix_alert_rule_standings_firing", "rule", postgresql_where=text("phase = 'firing'")),
    )

    rule: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True)
    place: Mapped[str] = mapped_column(primary_key=True)
    phase: Mapped[str]
    org_id: Mapped[str | None] = mapped_column(ForeignKey("organizations.id"))
    alert_key: Mapped[str | None]
    good_since: Mapped[datetime | None]
    fired_at: Mapped[datetime | None]


class AlertRuleHours(Base):
    """The hourly figures of a rule on what is unusual, as they were read. Written by the platform's role.

    Attributes:
        rule: the id of the rule.
        until: the end of the latest hour.
        figures: of each hour, the latest last.
    """

    __tablename__ = "alert_rule_hours"

    rule: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str | None] = mapped_column(ForeignKey("organizations.id"))
    until: Mapped[datetime]
    figures: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
