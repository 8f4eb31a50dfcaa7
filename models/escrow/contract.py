"""Contracts, with the terms of their escrows."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, SmallInteger, Text, func, text, true
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base

#: Both sides agree: no acceptance was needed, or the payee has accepted.
ACCEPTED = "accept_by IS NULL OR accepted_at IS NOT NULL"
NOT_ACCEPTED = "accept_by IS NOT NULL AND accepted_at IS NULL"
#: Proposals without an acceptance or a recorded expiry.
PROPOSED = f"{NOT_ACCEPTED} AND expired_at IS NULL"
EXPIRED = "expired_at IS NULL OR (accept_by IS NOT NULL AND accept_by <= expired_at AND accepted_at IS NULL)"


class Contract(Base):
    """A contract. Written once, by the client (`org_id`) or an operator on its behalf; the payee adds its acceptance.

    A sweep records instead that the time to accept it has passed. The client, the payee's organization and the
    organizations of named signatories see it.

    Attributes:
        validation_threshold_e4: in ten-thousandths, 8000 is 0.80; null if no score releases.
        signatories: principals; one outside of the client's organization is `org_…/principal`.
        signatory_org_ids: the organizations of such signatories.
        operator_approvals: whether an operator may sign on behalf of a signatory.
        dispute_default_share_e4: the payee's share, in ten-thousandths, when nobody decides a dispute.
        milestones: `[{"name": …, "amount_minor": …}]`, adding up to the price; may be empty.
        outside_listing: the terms that the agent does not accept automatically, by their names in the API.
        accept_by: the time limit for acceptance; null if none is needed.
        accepted_by: the qualified name of the principal that accepted.
        open_by: the time limit for opening its escrow.
        expired_at: when a sweep recorded that it was not accepted in time; it had expired at `accept_by`.
        accepts_granted: whether granted credits may fund its escrow, by the agent's listing at the time.
        quote_id: the quote with the price and the commission; null if the client named the price.
        undiscounted_commission_bps: the commission before a discount, or the usual one if a level pays none, as the
            limit of bad evidence. Null if `commission_bps` is the limit.
        commission_from: the source of the commission: `usual`, `level` or `operator`.
        level_version: the version of the levels of reputation, and `level_name` the agent's level; null without levels.
        priority: of the escrow's run in Temporal's task queues; null for the default.
    """

    __tablename__ = "contracts"
    __table_args__ = (
        CheckConstraint("price_minor > 0", name="price"),
        CheckConstraint("validation_threshold_e4 BETWEEN 0 AND 10000", name="threshold"),
        CheckConstraint("required_signatures BETWEEN 1 AND cardinality(signatories)", name="signatures"),
        CheckConstraint("commission_bps BETWEEN 0 AND 10000", name="commission"),
        CheckConstraint("undiscounted_commission_bps BETWEEN commission_bps AND 10000", name="undiscounted"),
        CheckConstraint("commission_from IN ('usual', 'level', 'operator')", name="commission_from"),
        CheckConstraint("(level_version IS NULL) = (level_name IS NULL)", name="level"),
        CheckConstraint("dispute_default_share_e4 BETWEEN 0 AND 10000", name="share"),
        CheckConstraint("(accept_by IS NULL) = (cardinality(outside_listing) = 0)", name="proposed"),
        CheckConstraint("(accepted_at IS NULL) = (accepted_by IS NULL)", name="accepted"),
        CheckConstraint("accepted_at IS NULL OR (accept_by IS NOT NULL AND accepted_at < accept_by)", name="in_time"),
        CheckConstraint(EXPIRED, name="expired"),
        Index("ix_contracts_agent_id_id", "agent_id", "id"),
        Index("ix_contracts_payee_org_id_org_id", "payee_org_id", "org_id"),
        Index("ix_contracts_accepted", "id", postgresql_where=text(ACCEPTED)),
        Index("ix_contracts_agent_id_accepted", "agent_id", "id", postgresql_where=text(ACCEPTED)),
        Index("ix_contracts_not_accepted", "id", postgresql_where=text(NOT_ACCEPTED)),
        Index("ix_contracts_agent_id_not_accepted", "agent_id", "id", postgresql_where=text(NOT_ACCEPTED)),
        Index("ix_contracts_accept_by", "accept_by", postgresql_where=text(NOT_ACCEPTED)),
        # Contracts that a sweep has expired leave the index, so that its cost does not grow with old proposals.
        Index("ix_contracts_proposed", "accept_by", postgresql_where=text(PROPOSED)),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    payee_org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    agent_id: Mapped[str] = mapped_column(ForeignKey("agents.id"))
    title: Mapped[str]
    price_minor: Mapped[int]
    currency: Mapped[str]
    validation_threshold_e4: Mapped[int | None] = mapped_column(Integer)
    signatories: Mapped[list[str]] = mapped_column(ARRAY(Text))
    signatory_org_ids: Mapped[list[str]] = mapped_column(ARRAY(Text))
    required_signatures: Mapped[int] = mapped_column(Integer)
    operator_approvals: Mapped[bool] = mapped_column(server_default=true())
    fund_seconds: Mapped[int]
    deliver_seconds: Mapped[int]
    review_seconds: Mapped[int]
    evidence_seconds: Mapped[int]
    decision_seconds: Mapped[int]
    grace_seconds: Mapped[int]
    dispute_default_share_e4: Mapped[int] = mapped_column(Integer)
    commission_bps: Mapped[int] = mapped_column(Integer)
    milestones: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    outside_listing: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    accept_by: Mapped[datetime | None]
    accepted_at: Mapped[datetime | None]
    accepted_by: Mapped[str | None]
    created_by: Mapped[str]
    command_id: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    accepts_granted: Mapped[bool] = mapped_column(server_default=true())
    quote_id: Mapped[str | None] = mapped_column(ForeignKey("pricing_quotes.id"), unique=True)
    commission_from: Mapped[str]
    level_version: Mapped[int | None]
    level_name: Mapped[str | None]
    priority: Mapped[int | None] = mapped_column(SmallInteger)
    expired_at: Mapped[datetime | None]
    undiscounted_commission_bps: Mapped[int | None] = mapped_column(Integer)
    open_by: Mapped[datetime] = mapped_column(server_default=text("now() + interval '7 days'"))


class ContractParty(Base):
    """An organization that pays, is paid or signs under a contract. Written by triggers on contracts.

    Serves lists of an organization's contracts, in order and by state.

    Attributes:
        accept_by: the time limit for acceptance; null if it is accepted, or none is needed.
    """

    __tablename__ = "contract_parties"
    __table_args__ = (
        Index("ix_contract_parties_org_id_agent_id_contract_id", "org_id", "agent_id", "contract_id"),
        Index("ix_contract_parties_accepted", "org_id", "contract_id", postgresql_where=text("accept_by IS NULL")),
        Index(
            "ix_contract_parties_agent_id_accepted",
            *("org_id", "agent_id", "contract_id"),
            postgresql_where=text("accept_by IS NULL"),
        ),
        Index(
            "ix_contract_parties_not_accepted",
            *("org_id", "contract_id"),
            postgresql_where=text("accept_by IS NOT NULL"),
        ),
        Index(
            "ix_contract_parties_agent_id_not_accepted",
            *("org_id", "agent_id", "contract_id"),
            postgresql_where=text("accept_by IS NOT NULL"),
        ),
        Index(
            "ix_contract_parties_accept_by", *("org_id", "accept_by"), postgresql_where=text("accept_by IS NOT NULL")
        ),
    )

    org_id: Mapped[str] = mapped_column(primary_key=True)
    contract_id: Mapped[str] = mapped_column(primary_key=True)
    agent_id: Mapped[str]
    accept_by: Mapped[datetime | None]
