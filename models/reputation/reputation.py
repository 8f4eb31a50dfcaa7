"""Reputation of agents and clients: the events, and the scores that are computed from them.

Except for feedback and priors, only the functions of `repositories/sql/reputation/reputation.sql` write these tables,
in the transaction of what happened, with the arithmetic of `domain/reputation`. Shares and evidence are in millionths,
`…_e6`.
"""

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, Computed, Date, ForeignKey, Identity, Index, SmallInteger, Text, false, text
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from domain.reputation.boards import BAND_SQL
from domain.reputation.facts import FactKind
from models.common.base import Base

_KINDS = ", ".join(f"'{kind}'" for kind in FactKind)
_DIMENSIONS = "'task_success', 'response_time', 'reliability', 'collaboration', 'quality'"
_ZERO = text("0")
#: Leaderboards: rows of a board and a band by their rank.
_BOARD = ("board", "band", "rank_e6", "agent_id")
#: In the order of the jobs that they have done: agents that can be hired.
_WITH_JOBS = text("board = 'public' AND succeeded > 0")
_OF_CATEGORY = text("category IS NOT NULL")


class ReputationEventRow(Base):
    """One fact about an agent, and about its client. Immutable, except that it can be voided, once.

    Visible to the two organizations and the platform.

    Attributes:
        seq: the order in which the agent's events were applied; its scores are recomputed in this order.
        counterparty_org_id: the organization on the other side; null for reports by operators.
        counterparty: the name under which the counterparty's evidence is limited: its own id, or a trait that it shares
            with others; `operators` for reports.
        source: `escrow`, `feedback` or `operator`; `key` is the caller's, and unique within the source.
        subject: the id of the escrow, contract or report that it is about.
        weight_e6: its weight; 0 if it is excluded, and then `excluded` has the reason: `own`, `related`, `probe` or
            `unpaid`.
        rater_e6: the rater's own trust, which is part of the weight.
        says: an object for each dimension: the evidence before it is bounded for the counterparty (`good_e6`,
            `bad_e6`), the priors of the day (`newcomer_e6`, `proven_e6`), and what the prior learns of it
            (`lesson_good_e6`, `lesson_bad_e6`): that of the proven with `is_proven`, otherwise that of newcomers.
        client_good_e6: what it says of the counterparty as a client, as `client_bad_e6`.
        is_end: whether a contract ended by it, and well where `is_success`.
        score_delta_e6: by how much it changed the agent's overall score.
        day: the date as of which it counts: that of `at`, or of the agent's last night when that was later.
        seasoned_on: the date from which it counts in `reputation_seasoned`, and so may better an agent's terms: `day`
            for bad news and what no payer paid for, otherwise once the payer cannot take its money back.
    """

    __tablename__ = "reputation_events"
    __table_args__ = (
        CheckConstraint(f"kind IN ({_KINDS})", name="kind"),
        CheckConstraint("excluded IN ('own', 'related', 'probe', 'unpaid')", name="excluded"),
        CheckConstraint("weight_e6 >= 0 AND (excluded IS NULL OR weight_e6 = 0)", name="weight"),
        CheckConstraint("num_nonnulls(voided_at, voided_by, void_reason) IN (0, 3)", name="voided"),
        Index("uq_reputation_events_source_key", "source", "key", unique=True),
        Index("ix_reputation_events_agent_id_seq", "agent_id", "seq"),
        Index("ix_reputation_events_counterparty_org_id_seq", "counterparty_org_id", "seq"),
        Index("ix_reputation_events_agent_id_seasoned_on", "agent_id", "seasoned_on"),
        Index("ix_reputation_events_subject", "subject"),
        Index("ix_reputation_events_day", "day"),
        Index(
            "ix_reputation_events_client_good",
            "counterparty_org_id",
            "seasoned_on",
            postgresql_where=text("client_good_e6 > 0"),
        ),
        Index(
            "ix_reputation_events_client_bad", "counterparty_org_id", "day", postgresql_where=text("client_bad_e6 > 0")
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(Identity(always=True))
    agent_id: Mapped[str] = mapped_column(ForeignKey("agents.id"))
    agent_org_id: Mapped[str]
    counterparty_org_id: Mapped[str | None]
    counterparty: Mapped[str]
    kind: Mapped[str]
    source: Mapped[str]
    key: Mapped[str]
    subject: Mapped[str]
    actor: Mapped[str]
    note: Mapped[str | None]
    weight_e6: Mapped[int]
    rater_e6: Mapped[int]
    excluded: Mapped[str | None]
    says: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, info={"holds": "technical"})
    client_good_e6: Mapped[int] = mapped_column(server_default=_ZERO)
    client_bad_e6: Mapped[int] = mapped_column(server_default=_ZERO)
    is_end: Mapped[bool] = mapped_column(server_default=false())
    is_success: Mapped[bool] = mapped_column(server_default=false())
    response_ms: Mapped[int | None]
    score_delta_e6: Mapped[int]
    day: Mapped[date] = mapped_column(Date)
    at: Mapped[datetime]
    recorded_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    voided_at: Mapped[datetime | None]
    voided_by: Mapped[str | None]
    void_reason: Mapped[str | None]
    seasoned_on: Mapped[date] = mapped_column(Date)


class ReputationScoreRow(Base):
    """An agent's evidence (`domain.reputation.evidence.Evidence`) and rank in one dimension.

    All five rows exist from the agent's first event on. Visible to everybody who sees the agent.

    Attributes:
        since: the time as of which `good_e6` and `bad_e6` are given.
        through: the last date whose nightly update was applied.
        stars_e6: the mean to show on that date, with a prior of one half.
        rank_e6: the value to rank it by on that date.
        evidence_count: the number of events that counted, without voided ones.
        evidence_e6: the evidence of these, good and bad, at most one unit for each.
        latest_on: the date of the latest of them; null before the first.
        board: who sees the row on leaderboards: `public`, or the organization of an agent that nobody else can
            hire.
        category: the agent's category.
        band: how much evidence there is and how recent, see `domain.reputation.boards`; null without any.
    """

    __tablename__ = "reputation_scores"
    __table_args__ = (
        CheckConstraint(f"dimension IN ({_DIMENSIONS})", name="dimension"),
        CheckConstraint("good_e6 >= 0 AND bad_e6 >= 0 AND held_e6 >= 0 AND since <= through", name="evidence"),
        Index("ix_reputation_scores_rank", "dimension", *_BOARD),
        Index("ix_reputation_scores_category", "category", "dimension", *_BOARD, postgresql_where=_OF_CATEGORY),
        {"postgresql_with": {"fillfactor": "80"}},
    )

    agent_id: Mapped[str] = mapped_column(ForeignKey("agents.id"), primary_key=True)
    dimension: Mapped[str] = mapped_column(primary_key=True)
    good_e6: Mapped[int]
    bad_e6: Mapped[int]
    since: Mapped[date] = mapped_column(Date)
    held_e6: Mapped[int]
    earned_e6: Mapped[int]
    prior_e6: Mapped[int]
    through: Mapped[date] = mapped_column(Date)
    stars_e6: Mapped[int]
    rank_e6: Mapped[int]
    evidence_count: Mapped[int] = mapped_column(server_default=_ZERO)
    latest_on: Mapped[date | None] = mapped_column(Date)
    board: Mapped[str]
    category: Mapped[str | None]
    band: Mapped[int | None] = mapped_column(SmallInteger, Computed(BAND_SQL.format(day="through"), persisted=True))
    evidence_e6: Mapped[int] = mapped_column(server_default=_ZERO)


class ReputationAgentRow(Base):
    """An agent's figures over all dimensions; its lock is taken before the agent's other rows are changed.

    Attributes:
        started_on: the date of its first event, from which its rows begin.
        evidence_e6: what events counted for in the dimension in which each counted most, one unit at most for each.
        ended, succeeded: contracts that counted, and how many of them ended well.
        rated: feedback of clients that counted.
        response_count, response_total_ms, response_buckets: response times, as `domain.reputation.timing.Timing`.
        stars_e6, rank_e6: the overall score and rank, of the five rows.
        stale_at: since when the scores contain evidence that has been voided; null if they contain none.
        night_on: the date of the last nightly update, which found the overall score `night_stars_e6` and its interval
            `night_low_e6` to `night_high_e6`; all null before the first.
        latest_on, board, category, band: as in `ReputationScoreRow`.
    """

    __tablename__ = "reputation_agents"
    __table_args__ = (
        Index("ix_reputation_agents_rank", *_BOARD),
        Index("ix_reputation_agents_category", "category", *_BOARD, postgresql_where=_OF_CATEGORY),
        Index("ix_reputation_agents_jobs", "succeeded", "agent_id", postgresql_where=_WITH_JOBS),
        Index("ix_reputation_agents_stale", "agent_id", postgresql_where=text("stale_at IS NOT NULL")),
        {"postgresql_with": {"fillfactor": "80"}},
    )

    agent_id: Mapped[str] = mapped_column(ForeignKey("agents.id"), primary_key=True)
    started_on: Mapped[date] = mapped_column(Date)
    evidence_count: Mapped[int] = mapped_column(server_default=_ZERO)
    ended: Mapped[int] = mapped_column(server_default=_ZERO)
    succeeded: Mapped[int] = mapped_column(server_default=_ZERO)
    rated: Mapped[int] = mapped_column(server_default=_ZERO)
    response_count: Mapped[int] = mapped_column(server_default=_ZERO)
    response_total_ms: Mapped[int] = mapped_column(server_default=_ZERO)
    response_buckets: Mapped[list[int]] = mapped_column(ARRAY(BIGINT))
    stars_e6: Mapped[int]
    rank_e6: Mapped[int]
    night_on: Mapped[date | None] = mapped_column(Date)
    night_stars_e6: Mapped[int | None]
    night_low_e6: Mapped[int | None]
    night_high_e6: Mapped[int | None]
    latest_on: Mapped[date | None] = mapped_column(Date)
    board: Mapped[str]
    category: Mapped[str | None]
    band: Mapped[int | None] = mapped_column(
        SmallInteger, Computed(BAND_SQL.format(day="coalesce(night_on, latest_on)"), persisted=True)
    )
    stale_at: Mapped[datetime | None]
    evidence_e6: Mapped[int] = mapped_column(server_default=_ZERO)


class ReputationRecallRow(Base):
    """An escrow whose payment was refunded or charged back; its events are void until `restored_at`.

    `payment_id` is the invoice of a subscription's bill where its credits funded the escrow.
    Unless a bank or a chain took the money (`by_bank`), those stay that are mostly bad of the agent.
    """

    __tablename__ = "reputation_recalls"
    __table_args__ = (Index("ix_reputation_recalls_payment_id", "payment_id"),)

    escrow_id: Mapped[str] = mapped_column(primary_key=True)
    payment_id: Mapped[str] = mapped_column(primary_key=True)
    recalled_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    restored_at: Mapped[datetime | None]
    by_bank: Mapped[bool] = mapped_column(server_default=text("true"))


class ReputationHistoryRow(Base):
    """An agent's overall score after a nightly update; a row for each night that changed it, or the day before it.

    Written by the nightly update, immutable, partitioned by the month of `day`. Visible to everybody who sees the
    agent.

    Attributes:
        stars_e6: the overall score, between `low_e6` and `high_e6` nine times out of ten.
        moved_e6: by how much it differs from that of the night before; from a newcomer's, in the first.
        evidence_count: events that counted until then.
        is_sudden: whether it changed so much that an operator should look
        (`domain.reputation.score_changes.is_sudden`). dimensions_e6: the scores by dimension, in the order of
        `domain.reputation.evidence.Dimension`.
    """

    __tablename__ = "reputation_history"
    __table_args__ = ({"postgresql_partition_by": "RANGE (day)"},)

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    agent_id: Mapped[str] = mapped_column(primary_key=True)
    stars_e6: Mapped[int]
    low_e6: Mapped[int]
    high_e6: Mapped[int]
    rank_e6: Mapped[int]
    moved_e6: Mapped[int]
    evidence_count: Mapped[int]
    is_sudden: Mapped[bool]
    dimensions_e6: Mapped[list[int]] = mapped_column(ARRAY(BIGINT))


class ReputationSeasonedRow(Base):
    """An agent's evidence that is past the window in which payers take money back, up to a day. The platform's own.

    `reputation_seasoned_at` adds the events that came to count after `through`, so that no reader waits for a night.
    Events count by what they added to the score when they came in.

    Attributes:
        through: the last day whose events are in it.
        evidence_count: how many events those are; `evidence_e6` as in `ReputationAgentRow`.
        good_e6, bad_e6, held_e6: evidence by dimension, in the order of `domain.reputation.evidence.Dimension`.
        since: as of when each of them is; `-infinity` without evidence.
    """

    __tablename__ = "reputation_seasoned"

    agent_id: Mapped[str] = mapped_column(ForeignKey("agents.id"), primary_key=True)
    through: Mapped[date] = mapped_column(Date)
    evidence_count: Mapped[int]
    good_e6: Mapped[list[int]] = mapped_column(ARRAY(BIGINT))
    bad_e6: Mapped[list[int]] = mapped_column(ARRAY(BIGINT))
    held_e6: Mapped[list[int]] = mapped_column(ARRAY(BIGINT))
    since: Mapped[list[date]] = mapped_column(ARRAY(Date))
    evidence_e6: Mapped[int] = mapped_column(server_default=_ZERO)


class ReputationSeasonedClientRow(Base):
    """A client's evidence past the window in which it can take its money back, up to a day. The platform's own.

    `reputation_seasoned_client_at` adds what came to count after `through`.

    Attributes:
        through: the last day that is in it.
        since: as of when the evidence is; `-infinity` without any.
    """

    __tablename__ = "reputation_seasoned_clients"

    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"), primary_key=True)
    through: Mapped[date] = mapped_column(Date)
    good_e6: Mapped[int]
    bad_e6: Mapped[int]
    held_e6: Mapped[int]
    since: Mapped[date] = mapped_column(Date)


class ReputationPeerRow(Base):
    """The number of agents at each step of the ranking in a dimension. Rewritten by each nightly update.

    Attributes:
        category: of the agents; empty for all agents.
        dimension: or `overall`.
        step: the rank, see `domain.reputation.boards.rank_step`.
        agents: agents on this step, with evidence; `below` rank on lower ones.
        day: the date of the night.
    """

    __tablename__ = "reputation_peers"

    category: Mapped[str] = mapped_column(primary_key=True)
    dimension: Mapped[str] = mapped_column(primary_key=True)
    step: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    agents: Mapped[int]
    below: Mapped[int]
    day: Mapped[date] = mapped_column(Date)


class ReputationGivenRow(Base):
    """The evidence that one counterparty has given an agent in a dimension (`weights.Given`). For the platform only.

    All operators are one counterparty, `operators`. A row `reporter:{principal}` has what one's own praise takes
    (`weights.saturated_reports`).
    """

    __tablename__ = "reputation_given"

    agent_id: Mapped[str] = mapped_column(primary_key=True)
    dimension: Mapped[str] = mapped_column(primary_key=True)
    counterparty: Mapped[str] = mapped_column(primary_key=True)
    good_e6: Mapped[int]
    bad_e6: Mapped[int]
    since: Mapped[date] = mapped_column(Date)


class ReputationClientRow(Base):
    """The trust in an organization as a client, see `domain.reputation.clients`.

    Visible to the organization, and to payees of its contracts.

    Attributes:
        counts: the number of events that counted and were not voided, by `ClientFact`.
    """

    __tablename__ = "reputation_clients"
    __table_args__ = (Index("ix_reputation_clients_through", "through"),)

    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"), primary_key=True)
    good_e6: Mapped[int]
    bad_e6: Mapped[int]
    since: Mapped[date] = mapped_column(Date)
    held_e6: Mapped[int]
    prior_e6: Mapped[int]
    through: Mapped[date] = mapped_column(Date)
    counts: Mapped[dict[str, int]] = mapped_column(JSONB, server_default=text("'{}'::jsonb"))


class ReputationClientEventRow(Base):
    """A fact about an organization as a client, other than the outcome of an escrow. Immutable.

    Visible to the organization.

    Attributes:
        seq: from the same sequence as `ReputationEventRow.seq`; the client's trust is recomputed in this order.
        kind: a `ClientFact`.
        key: the idempotency key.
        subject: the id of the payment or the escrow.
        day: the date as of which it counts: that of `at`, or of the client's last night when that was later.
    """

    __tablename__ = "reputation_client_events"
    __table_args__ = (
        CheckConstraint("kind IN ('payment_failed', 'charged_back', 'cancelled')", name="kind"),
        CheckConstraint("least(good_e6, bad_e6) >= 0 AND good_e6 + bad_e6 > 0", name="evidence"),
        Index("ix_reputation_client_events_org_id_seq", "org_id", "seq"),
        Index("ix_reputation_client_events_org_id_day", "org_id", "day"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    seq: Mapped[int]
    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    kind: Mapped[str]
    key: Mapped[str] = mapped_column(unique=True)
    subject: Mapped[str]
    weight_e6: Mapped[int]
    good_e6: Mapped[int]
    bad_e6: Mapped[int]
    day: Mapped[date] = mapped_column(Date)
    at: Mapped[datetime]
    recorded_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))


class ReputationPriorRow(Base):
    """The priors of a day in a dimension, and the marketplace's evidence that they come from. Written by the night.

    Attributes:
        day: the first day for which they hold; a day without a row has those of the day before it.
        newcomer_good_e6: the row of newcomers on that day, before what it brings, as `newcomer_bad_e6`; and that of
            the proven.
    """

    __tablename__ = "reputation_priors"

    dimension: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    newcomer_e6: Mapped[int]
    proven_e6: Mapped[int]
    newcomer_good_e6: Mapped[int]
    newcomer_bad_e6: Mapped[int]
    proven_good_e6: Mapped[int]
    proven_bad_e6: Mapped[int]


class ReputationPowerRow(Base):
    """What is left of evidence after so many nights, in 10⁻¹²: `domain.reputation.evidence.factor_e12`.

    Nights without a row leave nothing.
    """

    __tablename__ = "reputation_powers"

    nights: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    factor_e12: Mapped[int]


class ReputationRateRow(Base):
    """A rate that held before, with what it left after so many nights, from none on, in 10⁻¹².

    Written by the night that changes the rate; immutable.

    Attributes:
        until: the last date whose night was taken by it.
    """

    __tablename__ = "reputation_rates"

    until: Mapped[date] = mapped_column(Date, primary_key=True)
    factors_e12: Mapped[list[int]] = mapped_column(ARRAY(BIGINT))


class ReputationFeedbackRow(Base):
    """A client's feedback on an agent after a contract. It can be changed once, within a time window.

    What an agent's key gave or changed, a person may change once more.

    Visible to the two organizations and the platform.

    Attributes:
        ratings: 1 to 5 by dimension.
        event_id: the event that counts; a change voids the one before.
        by_agent: whether an agent's key gave it, as it is now.
    """

    __tablename__ = "reputation_feedback"
    __table_args__ = (
        Index("uq_reputation_feedback_contract_id", "contract_id", unique=True),
        Index("ix_reputation_feedback_agent_id_id", "agent_id", "id"),
        Index("ix_reputation_feedback_org_id_id", "org_id", "id"),
        Index("ix_reputation_feedback_agent_org_id_id", "agent_org_id", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    contract_id: Mapped[str] = mapped_column(ForeignKey("contracts.id"))
    agent_id: Mapped[str] = mapped_column(ForeignKey("agents.id"))
    agent_org_id: Mapped[str]
    org_id: Mapped[str]
    ratings: Mapped[dict[str, int]] = mapped_column(JSONB)
    comment: Mapped[str | None] = mapped_column(Text)
    event_id: Mapped[str] = mapped_column(ForeignKey("reputation_events.id"))
    given_by: Mapped[str]
    by_agent: Mapped[bool]
    command_id: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    changed_at: Mapped[datetime | None]
    change_command_id: Mapped[str | None]


class ReputationLadderRow(Base):
    """One version of the reputation levels; the newest version applies. Written by operators, immutable, public.

    Attributes:
        levels: each a `domain.reputation.levels.Level`, in ascending order; an empty list turns levels off.
    """

    __tablename__ = "reputation_ladders"

    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    levels: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    created_by: Mapped[str]
    command_id: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
