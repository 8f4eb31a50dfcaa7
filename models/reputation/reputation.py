"""Reputation of agents and clients: events, and the scores computed from them.

Except for feedback and priors, only the functions of `repositories/sql/reputation/reputation.sql` write these tables,
in the transaction of the event, with the arithmetic of `domain/reputation`. Shares and evidence are in millionths,
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
#: Index columns of leaderboards: rows of a board and a band by rank.
_BOARD = ("board", "band", "rank_e6", "agent_id")
#: Hirable agents with jobs.
_WITH_JOBS = text("board = 'public' AND succeeded > 0")
_OF_CATEGORY = text("category IS NOT NULL")


class ReputationEventRow(Base):
    """Fact about an agent and its client. Immutable, except that it can be voided once.

    Visible to the two organizations and the platform.

    Attributes:
        seq: the order of application; scores are recomputed in this order.
        counterparty_org_id: the client's organization; null for reports by operators.
        counterparty: the name under which the counterparty's evidence is limited: its id, or a shared trait;
            `operators` for reports.
        source: `escrow`, `feedback` or `operator`; `key` is the caller's, and unique within the source.
        subject: the id of the escrow, contract or report.
        weight_e6: its weight; 0 if excluded, for the reason `excluded`: `own`, `related`, `probe` or `unpaid`.
        rater_e6: the trust in the rater, a factor of the weight.
        says: an object for each dimension: the evidence before the counterparty's limit (`good_e6`, `bad_e6`), the
            priors of the day (`newcomer_e6`, `proven_e6`), and the evidence for the prior (`lesson_good_e6`,
            `lesson_bad_e6`): of proven agents with `is_proven`, otherwise of newcomers.
        client_good_e6, client_bad_e6: evidence about the counterparty as a client.
        is_end: whether it ended a contract; `is_success` is whether successfully.
        delivery_seconds: of a job that ended well, without dispute or refund: the time from its funding to its last
            delivery; null for all other events.
        score_delta_e6: the change of the agent's overall score.
        day: the effective date: of `at`, or of the agent's last night if that is later.
        seasoned_on: the date from which it counts in `reputation_seasoned`, and so for an agent's terms: `day` for bad
            or unpaid evidence, otherwise the end of the chargeback window.
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
            "ix_reputation_events_delivered", "agent_id", "seq", postgresql_where=text("delivery_seconds IS NOT NULL")
        ),
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
    delivery_seconds: Mapped[int | None]
    score_delta_e6: Mapped[int]
    day: Mapped[date] = mapped_column(Date)
    at: Mapped[datetime]
    recorded_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    voided_at: Mapped[datetime | None]
    voided_by: Mapped[str | None]
    void_reason: Mapped[str | None]
    seasoned_on: Mapped[date] = mapped_column(Date)


class ReputationScoreRow(Base):
    """Evidence (`domain.reputation.evidence.Evidence`) and rank of an agent in a dimension.

    All five rows exist from the agent's first event on. Visible to all who see the agent.

    Attributes:
        since: the date of `good_e6` and `bad_e6`.
        through: the date of the last nightly update.
        stars_e6: the mean for display on that date, with a prior of one half.
        rank_e6: the rank on that date.
        evidence_count: the number of events that counted, without voided ones.
        evidence_e6: their evidence, good and bad, at most one unit for each.
        latest_on: the date of the latest of them; null before the first.
        board: the leaderboards of the row: `public`, or the organization of a private agent.
        category: the agent's category.
        band: amount and age of the evidence, see `domain.reputation.boards`; null without evidence.
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
    """Figures of an agent over all dimensions; locked before the agent's other rows are changed.

    Attributes:
        started_on: the date of its first event.
        evidence_e6: the evidence of each event in its largest dimension, at most one unit each.
        ended, succeeded: counted contracts, and successful ones.
        rated: counted feedback of clients.
        response_count, response_total_ms, response_buckets: response times, as `domain.reputation.timing.Timing`.
        delivery_seconds: the median over the latest 100 jobs of 90 days with a time of delivery, as of the last night;
            null for fewer than three.
        stars_e6, rank_e6: the overall score and rank.
        stale_at: the time since which the scores contain voided evidence; null if they do not.
        night_on: the date of the last nightly update, with the overall score `night_stars_e6` and its interval
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
    delivery_seconds: Mapped[int | None]
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
    """Escrow whose payment was refunded or charged back; its events are void until `restored_at`.

    `payment_id` is an invoice if the credits of a subscription's bill funded the escrow. Only a chargeback or chain
    reorganisation (`by_bank`) voids mostly bad events.
    """

    __tablename__ = "reputation_recalls"
    __table_args__ = (Index("ix_reputation_recalls_payment_id", "payment_id"),)

    escrow_id: Mapped[str] = mapped_column(primary_key=True)
    payment_id: Mapped[str] = mapped_column(primary_key=True)
    recalled_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    restored_at: Mapped[datetime | None]
    by_bank: Mapped[bool] = mapped_column(server_default=text("true"))


class ReputationHistoryRow(Base):
    """Overall score of an agent after a nightly update; a row for each night with a change then or the day before.

    Written by the nightly update, immutable, partitioned by the month of `day`. Visible to all who see the agent.

    Attributes:
        stars_e6: the overall score; `low_e6` to `high_e6` is its 90 % interval.
        moved_e6: the change since the previous night, or from a newcomer's score.
        evidence_count: counted events until then.
        is_sudden: whether the change is sudden (`domain.reputation.score_changes.is_sudden`).
        dimensions_e6: the scores by dimension, in the order of `domain.reputation.evidence.Dimension`.
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
    """Evidence of an agent past the chargeback window, up to a day. Visible to the platform only.

    `reputation_seasoned_at` adds the events that count after `through`, so that readers need not wait for a night.
    Events count with their original contribution to the score.

    Attributes:
        through: the last day whose events are in it.
        evidence_count: their number; `evidence_e6` as in `ReputationAgentRow`.
        good_e6, bad_e6, held_e6: evidence by dimension, in the order of `domain.reputation.evidence.Dimension`.
        since: their dates; `-infinity` without evidence.
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
    """Evidence of a client past the chargeback window, up to a day. Visible to the platform only.

    `reputation_seasoned_client_at` adds the events that count after `through`.

    Attributes:
        through: the last included day.
        since: its date; `-infinity` without evidence.
    """

    __tablename__ = "reputation_seasoned_clients"

    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"), primary_key=True)
    through: Mapped[date] = mapped_column(Date)
    good_e6: Mapped[int]
    bad_e6: Mapped[int]
    held_e6: Mapped[int]
    since: Mapped[date] = mapped_column(Date)


class ReputationPeerRow(Base):
    """Number of agents at each rank step in a dimension. Rewritten by each nightly update.

    Attributes:
        category: of the agents; empty for all agents.
        dimension: or `overall`.
        step: the rank step, see `domain.reputation.boards.rank_step`.
        agents: agents with evidence on this step; `below` on lower ones.
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
    """Total evidence from a counterparty about an agent in a dimension (`weights.GivenEvidence`). Platform only.

    All operators are one counterparty, `operators`. A row `reporter:{principal}` has an operator's own total of praise
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
    """Trust in an organization as a client, see `domain.reputation.clients`.

    Visible to the organization, and to payees of its contracts.

    Attributes:
        counts: the number of counted events by `ClientFact`, without voided ones.
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
    """Fact about an organization as a client, other than an escrow's outcome. Immutable.

    Visible to the organization.

    Attributes:
        seq: from the sequence of `ReputationEventRow.seq`; the trust is recomputed in this order.
        kind: a `ClientFact`.
        key: the idempotency key.
        subject: the id of the payment or the escrow.
        day: the effective date: of `at`, or of the client's last night if that is later.
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
    """Priors of a day in a dimension, and the evidence behind them. Written by the nightly run.

    Attributes:
        day: the first day of their validity; a day without a row has those of the day before.
        newcomer_good_e6, newcomer_bad_e6: evidence of newcomers before that day; the other two of proven agents.
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
    """Share of evidence left after a number of nights, in 10⁻¹²: `domain.reputation.evidence.factor_e12`.

    More nights than the last row leave nothing.
    """

    __tablename__ = "reputation_powers"

    nights: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    factor_e12: Mapped[int]


class ReputationRateRow(Base):
    """Earlier rate: the shares left after 0, 1, … nights, in 10⁻¹².

    Written by the nightly run that changes the rate; immutable.

    Attributes:
        until: the date of its last night.
    """

    __tablename__ = "reputation_rates"

    until: Mapped[date] = mapped_column(Date, primary_key=True)
    factors_e12: Mapped[list[int]] = mapped_column(ARRAY(BIGINT))


class ReputationFeedbackRow(Base):
    """Feedback of a client on an agent after a contract. It can be changed once, within a time window.

    A person may change feedback of an agent's key once more.

    Visible to the two organizations and the platform.

    Attributes:
        ratings: 1 to 5 by dimension.
        event_id: the counted event; a change voids the previous one.
        by_agent: whether an agent's key gave or changed it last.
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
    """Version of the reputation levels; the newest version applies. Written by operators, immutable, public.

    Attributes:
        levels: `domain.reputation.levels.Level` objects in ascending order; an empty list turns levels off.
    """

    __tablename__ = "reputation_ladders"

    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    levels: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    created_by: Mapped[str]
    command_id: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
