"""Contracts: what was awarded to whom, and by which rules its escrow will run."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, SmallInteger, Text, func, text, true
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base

#: Whether both sides agree: nobody had to accept the contract, or its payee has.
ACCEPTED = "accept_by IS NULL OR accepted_at IS NOT NULL"
NOT_ACCEPTED = "accept_by IS NOT NULL AND accepted_at IS NULL"
#: What has not ended as a proposal, by an acceptance or a noted expiry.
PROPOSED = f"{NOT_ACCEPTED} AND expired_at IS NULL"
EXPIRED = "expired_at IS NULL OR (accept_by IS NOT NULL AND accept_by <= expired_at AND accepted_at IS NULL)"


class Contract(Base):
    """One award. Written once, by the client (`org_id`) or an operator for it; the payee adds its acceptance, once.

    A sweep notes when the time to accept one has passed. No contract has both.

    The client, the payee's organization and the organizations of named signatories see it.

    Attributes:
        validation_threshold_e4: ten-thousandths, 8000 is 0.80; null means that no score releases.
        signatories: principals; one outside of the client's organization is `org_…/principal`.
        signatory_org_ids: the organizations of such signatories.
        operator_approvals: whether an operator may sign on behalf of a signatory.
        dispute_default_share_e4: the payee's share, in ten-thousandths, when nobody decides a dispute.
        milestones: `[{"name": …, "amount_minor": …}]`, adding up to the price; empty when there are none.
        outside_listing: the terms that the payee's agent does not accept unasked, by their names in the API.
        accept_by: until when the payee can accept them; null when nobody has to.
        accepted_by: the principal that accepted, with its organization.
        open_by: until when its escrow can be opened.
        expired_at: when a sweep noted that nobody accepted it in time. It had expired before, by `accept_by`.
        accepts_granted: whether credits that nobody paid for may fund its escrow, as the agent's listing said then.
        quote_id: the quote that gave the price and the commission; null where the client named the price.
        undiscounted_commission_bps: the commission before a discount was taken off it, and the usual one where a level
            takes none: it bounds bad evidence. Null where `commission_bps` bounds it.
        commission_from: what gave the commission: `usual`, `level` or `operator`.
        level_version: the level that the agent had, by reputation, as `level_name`; null where there were no levels.
        priority: of the escrow's run in Temporal's task queues; null is the usual one.
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
        # What a sweep has noted leaves the index, so what it costs does not grow with the proposals of the past.
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

    Lists are read from here: rows of one organization in the order of their contracts, and of one state.

    Attributes:
        accept_by: until when the payee can accept the contract; null when it is accepted, or nobody has to accept it.
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
