"""Decisions against fraud, and what they count and link."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, Integer, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from domain.risk.act import Outcome, Point
from models.common.base import Base

_POINTS = ", ".join(f"'{point}'" for point in Point)
_OUTCOMES = ", ".join(f"'{outcome}'" for outcome in Outcome)


class RiskDecision(Base):
    """A decision. Written once in the transaction of its act; only its case and label are set later.

    Kept for 13 months.

    Attributes:
        subject: the object of the act, such as a payment.
        rule: the deciding rule or list, with its version; `unavailable` if the decision took too long.
        shadow: the outcomes of rules in shadow that matched, by name.
        facts: every fact that is not 0 or empty, by name.
        entities: in the form of `domain.risk.act.entity`.
        value_minor: the amount in minor units of its currency, credits at their price.
        score: of the champion model, `{"version", "score_e4", "reasons": [{"sentence", "effect_e4"}]}`, and of the
            challenger the same below `challenger`; without a champion that is all.
        label: `fraud` or `legitimate`, once it is known.
    """

    __tablename__ = "risk_decisions"
    __table_args__ = (
        CheckConstraint(f"point IN ({_POINTS}) AND outcome IN ({_OUTCOMES})", name="point"),
        CheckConstraint("label IN ('fraud', 'legitimate') AND label_at IS NOT NULL OR label IS NULL", name="label"),
        Index("uq_risk_decisions_command_id", "command_id", "point", unique=True),
        Index("ix_risk_decisions_org_id_id", "org_id", "id"),
        Index("ix_risk_decisions_point_id", "point", "id"),
        Index("ix_risk_decisions_subject", "subject"),
        Index("ix_risk_decisions_case_id", "case_id", postgresql_where=text("case_id IS NOT NULL")),
        Index("ix_risk_decisions_label_at", "label_at", postgresql_where=text("label_at IS NOT NULL")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    point: Mapped[str]
    org_id: Mapped[str | None]
    counterparty_org_id: Mapped[str | None]
    principal: Mapped[str]
    subject: Mapped[str]
    command_id: Mapped[str]
    outcome: Mapped[str]
    rule: Mapped[str | None]
    rule_version: Mapped[int | None] = mapped_column(Integer)
    shadow: Mapped[dict[str, str]] = mapped_column(JSONB)
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB)
    entities: Mapped[list[str]] = mapped_column(ARRAY(Text))
    value_minor: Mapped[int]
    score: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    case_id: Mapped[str | None]
    label: Mapped[str | None]
    label_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class RiskCounter(Base):
    """A count of what an entity did in a minute, hour or day, for `domain.risk.facts.Counter`.

    Written by decisions in the transaction of the act, and by the reader of events for what follows from it.

    Attributes:
        grain: `m`, `h` or `d`; minutes are kept for a day, hours for 31 days, days for 13 months.
    """

    __tablename__ = "risk_counters"
    __table_args__ = (Index("ix_risk_counters_grain_start", "grain", "start"),)

    entity: Mapped[str] = mapped_column(primary_key=True)
    grain: Mapped[str] = mapped_column(primary_key=True)
    start: Mapped[datetime] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    amount: Mapped[int]


class RiskLink(Base):
    """An entity that an organization used. Organizations that share one are linked.

    Attributes:
        first_seen: and `last_seen`, which is written once a day at most.
    """

    __tablename__ = "risk_links"
    __table_args__ = (
        Index("ix_risk_links_org_id_first_seen", "org_id", "first_seen"),
        Index("ix_risk_links_last_seen", "last_seen"),
    )

    entity: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str] = mapped_column(primary_key=True)
    first_seen: Mapped[datetime]
    last_seen: Mapped[datetime]


class RiskCluster(Base):
    """The cluster of an organization that is linked to others. Written anew every night."""

    __tablename__ = "risk_clusters"
    __table_args__ = (Index("ix_risk_clusters_cluster", "cluster"),)

    org_id: Mapped[str] = mapped_column(primary_key=True)
    cluster: Mapped[str]
    organizations: Mapped[int] = mapped_column(Integer)
    seen_at: Mapped[datetime]
