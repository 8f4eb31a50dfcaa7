"""Rules of prices, what agents say of theirs, and the prices that are kept for clients."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, SmallInteger, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class PricingBook(Base):
    """The one row that counts the changes of all rules. Whoever changes a rule holds it; every price reads it."""

    __tablename__ = "pricing_book"
    __table_args__ = (CheckConstraint("id = 1", name="single"),)

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False, info={"holds": "technical"})
    version: Mapped[int]


class PricingRule(Base):
    """One rule. Written by the platform's role, under the row of `pricing_book`; never deleted, but ended.

    Attributes:
        type: of `domain.marketplace.pricing.rule.RuleType`.
        priority: rules are judged by ascending priority.
        stacking: `multiply`, `add` or `exclusive`.
        agent_id: whose prices it changes; null for every agent's.
        org_id: for which client; null for every client.
        floor_bps: its own multiplier is never below; null is no bound.
        ceiling_bps: nor above.
        terms: what it says, as `domain.marketplace.pricing.stored_terms` writes it.
        version: counts its changes.
        book_version: that of `pricing_book` when it was changed last.
        ended_at: since when it does not hold any more.
    """

    __tablename__ = "pricing_rules"
    __table_args__ = (
        CheckConstraint(
            "type IN ('surge', 'reputation', 'time_of_day', 'bulk', 'volume', 'tier', 'contract_price', 'custom',"
            " 'bounds')",
            name="type",
        ),
        CheckConstraint("stacking IN ('multiply', 'add', 'exclusive')", name="stacking"),
        CheckConstraint("priority BETWEEN 0 AND 10000", name="priority"),
        CheckConstraint("floor_bps <= ceiling_bps", name="bounds"),
        CheckConstraint("valid_from < valid_until", name="validity"),
        Index("ix_pricing_rules_in_force", "id", postgresql_where=text("ended_at IS NULL")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(info={"holds": "free_text"})
    type: Mapped[str] = mapped_column(info={"holds": "financial"})
    priority: Mapped[int] = mapped_column(Integer, info={"holds": "financial"})
    stacking: Mapped[str]
    agent_id: Mapped[str | None] = mapped_column(ForeignKey("agents.id"))
    org_id: Mapped[str | None] = mapped_column(ForeignKey("organizations.id"))
    floor_bps: Mapped[int | None] = mapped_column(Integer)
    ceiling_bps: Mapped[int | None] = mapped_column(Integer)
    valid_from: Mapped[datetime | None]
    valid_until: Mapped[datetime | None]
    terms: Mapped[dict[str, Any]] = mapped_column(JSONB, info={"holds": "financial"})
    version: Mapped[int] = mapped_column(Integer)
    book_version: Mapped[int]
    created_by: Mapped[str]
    command_id: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class PricingAgent(Base):
    """What an agent's organization says of its prices. Written by that organization.

    Attributes:
        capacity: how many jobs the agent works on at once; null when it does not say.
        calls_per_day: how many calls it takes a day; null when it does not say.
        bears_discounts: whether a discount lowers what the agent gets, and not only the commission.
    """

    __tablename__ = "pricing_agents"
    __table_args__ = (
        CheckConstraint("capacity > 0", name="capacity"),
        CheckConstraint("calls_per_day > 0", name="calls"),
    )

    agent_id: Mapped[str] = mapped_column(ForeignKey("agents.id"), primary_key=True)
    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    capacity: Mapped[int | None] = mapped_column(Integer)
    bears_discounts: Mapped[bool] = mapped_column(info={"holds": "financial"})
    updated_by: Mapped[str]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    calls_per_day: Mapped[int | None] = mapped_column(Integer)


class PricingQuote(Base):
    """A price that is kept for a client. Written by the platform's role; using it is its one change.

    Attributes:
        org_id: the client, which alone sees it.
        payee_org_id: whose agent it is.
        base_minor: what the listing says, in minor units of `currency`, for all of `quantity`.
        price_minor: what it costs the client.
        commission_bps: of the contract that is made with it.
        commission_from: what gave the commission that a discount is taken from: `usual`, `level` or `operator`.
        level_version: the level that the agent has, by reputation, as `level_name`; null where there are no levels.
        facts: what the price was made from, as `domain.marketplace.pricing.facts.PricingFacts` writes it.
        adjustments: the lines of the price.
        borne_by: who bears the discount, `platform` or `agent`; null without one.
        book_version: which rules held.
        contract_id: the contract that was made with it.
    """

    __tablename__ = "pricing_quotes"
    __table_args__ = (
        CheckConstraint("quantity > 0 AND base_minor > 0 AND price_minor > 0", name="amounts"),
        CheckConstraint("commission_bps BETWEEN 0 AND 10000", name="commission"),
        CheckConstraint("commission_from IN ('usual', 'level', 'operator')", name="commission_from"),
        CheckConstraint("(level_version IS NULL) = (level_name IS NULL)", name="level"),
        CheckConstraint(
            "(borne_by IS NULL) = (price_minor >= base_minor) AND borne_by IN ('platform', 'agent')", name="borne_by"
        ),
        CheckConstraint("(used_at IS NULL) = (contract_id IS NULL)", name="used"),
        Index("ix_pricing_quotes_created_at", "created_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    agent_id: Mapped[str] = mapped_column(ForeignKey("agents.id"))
    payee_org_id: Mapped[str]
    quantity: Mapped[int] = mapped_column(info={"holds": "technical"})
    currency: Mapped[str]
    base_minor: Mapped[int]
    price_minor: Mapped[int]
    multiplier_bps: Mapped[int]
    commission_bps: Mapped[int] = mapped_column(Integer)
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB, info={"holds": "financial"})
    adjustments: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    book_version: Mapped[int]
    created_by: Mapped[str]
    command_id: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    contract_id: Mapped[str | None] = mapped_column(unique=True)
    commission_from: Mapped[str]
    level_version: Mapped[int | None]
    level_name: Mapped[str | None]
    borne_by: Mapped[str | None]
