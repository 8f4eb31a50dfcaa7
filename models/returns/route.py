"""Which candidate took which call, and what the outcomes of each add up to."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, Numeric, text
from sqlalchemy.dialects.postgresql import JSONB, UUID as PG_UUID
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base

#: 10⁻¹² of a unit of money, and sums of multiples in millionths.
_WIDE = Numeric(38, 0)


class RoutingDecision(Base):
    """To which candidate a call was given. Written by the platform's role; only the outcome is added, once.

    Attributes:
        run_id: the run whose result is the outcome; the decision's own id where the caller named none.
        currency: of all amounts, which are in 10⁻¹² of it.
        wish: what was asked for, `{"quality_e6", "value_pico", "max_cost_pico"}`.
        ranking: the candidates as `domain.returns.route.RankedCandidate`, by its fields, the likeliest first.
        choice: the name of a model or the id of an agent; null if no candidate was admissible.
        odds_e6: by which the choice was drawn, in millionths: its propensity.
        reference_pico: what a call of the reference size costs at the choice, of a model without the markup;
            `expected_pico`, what this call would, with it.
        control_id: the budget that paced it, whose window began at `window_starts_at`, and in it the first decision was
            made at `window_first_at`; null without one.
        window_calls: the decisions that the budget paced in this window up to this one; `window_calls_before`, in the
            window before.
        next_price_e6: the price of the budget for the next decision.
        priced_at: the price of one credit at which credits and money were compared, `{"amount", "currency"}`.
        multiple_e6: the cost in millionths of `reference_pico`; null where either is unknown or zero.
        outcome_source: `result` or `api`; `outcome_reference` is the result or who reported it.
    """

    __tablename__ = "routing_decisions"
    __table_args__ = (
        CheckConstraint("(choice IS NULL) = (odds_e6 IS NULL) AND odds_e6 BETWEEN 1 AND 1000000", name="choice"),
        CheckConstraint(
            "num_nonnulls(score_e6, outcome_source, outcome_at) IN (0, 3) AND score_e6 BETWEEN 0 AND 1000000 "
            "AND cost_pico >= 0 AND (score_e6 IS NULL OR choice IS NOT NULL)",
            name="outcome",
        ),
        # A decision without a choice waits for no result.
        Index(
            "uq_routing_decisions_run",
            *("org_id", "run_id", "task_kind", "agent_id"),
            unique=True,
            postgresql_nulls_not_distinct=True,
            postgresql_where=text("choice IS NOT NULL"),
        ),
        Index("ix_routing_decisions_org_id_id", "org_id", "id"),
        Index("ix_routing_decisions_org_id_agent_id_id", "org_id", "agent_id", "id"),
        Index(
            "ix_routing_decisions_control_id_id", "control_id", "id", postgresql_where=text("control_id IS NOT NULL")
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    agent_id: Mapped[str | None] = mapped_column(ForeignKey("agents.id"))
    run_id: Mapped[str]
    task_kind: Mapped[str]
    currency: Mapped[str]
    wish: Mapped[dict[str, Any]] = mapped_column(JSONB, info={"holds": "financial"})
    ranking: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    choice: Mapped[str | None] = mapped_column(info={"holds": "identifier"})
    odds_e6: Mapped[int | None] = mapped_column(Integer)
    reference_pico: Mapped[Decimal | None] = mapped_column(_WIDE)
    expected_pico: Mapped[Decimal | None] = mapped_column(_WIDE)
    control_id: Mapped[UUID | None] = mapped_column(PG_UUID(as_uuid=True))
    window_starts_at: Mapped[datetime | None]
    window_first_at: Mapped[datetime | None]
    window_calls: Mapped[int | None]
    window_calls_before: Mapped[int | None]
    next_price_e6: Mapped[int] = mapped_column(Integer)
    priced_at: Mapped[dict[str, str] | None] = mapped_column(JSONB(none_as_null=True))
    decided_by: Mapped[str]
    command_id: Mapped[str] = mapped_column(unique=True)
    decided_at: Mapped[datetime]
    score_e6: Mapped[int | None] = mapped_column(Integer)
    cost_pico: Mapped[Decimal | None] = mapped_column(_WIDE)
    multiple_e6: Mapped[int | None]
    outcome_source: Mapped[str | None]
    outcome_reference: Mapped[str | None]
    outcome_at: Mapped[datetime | None]


class RoutingSum(Base):
    """The sums of `domain.returns.route.OutcomeSums`, kept in the transaction of each outcome by the platform's role.

    Attributes:
        task_kind: empty for all kinds together.
    """

    __tablename__ = "routing_sums"
    __table_args__ = (
        CheckConstraint("costs BETWEEN 0 AND results AND score_e6 BETWEEN 0 AND results * 1000000", name="counts"),
        {"postgresql_with": {"fillfactor": "50"}},
    )

    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"), primary_key=True)
    candidate: Mapped[str] = mapped_column(primary_key=True, info={"holds": "identifier"})
    task_kind: Mapped[str] = mapped_column(primary_key=True)
    results: Mapped[int]
    score_e6: Mapped[int]
    costs: Mapped[int]
    cost_e6: Mapped[Decimal] = mapped_column(_WIDE)
    square_e6: Mapped[Decimal] = mapped_column(_WIDE)
