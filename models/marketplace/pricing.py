"""Pricing rules, pricing terms of agents, and quotes."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, SmallInteger, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class PricingBook(Base):
    """A single row that counts the changes of all rules. Changes of rules lock it; every price reads it."""

    __tablename__ = "pricing_book"
    __table_args__ = (CheckConstraint("id = 1", name="single"),)

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False, info={"holds": "technical"})
    version: Mapped[int]


class PricingRule(Base):
    """Pricing rule. Written by the platform's role, under the lock of `pricing_book`; ended, never deleted.

    Attributes:
        type: a `domain.marketplace.pricing.rule.RuleType`.
        priority: rules are evaluated by ascending priority.
        stacking: `multiply`, `add` or `exclusive`.
        agent_id: the agent whose prices it changes; null for every agent.
        org_id: the client; null for every client.
        floor_bps: the lower bound of its multiplier; null for no bound.
        ceiling_bps: the upper bound.
        terms: its terms, as `domain.marketplace.pricing.stored_terms` writes them.
        version: the number of its changes.
        book_version: the version of `pricing_book` at its last change.
        ended_at: the end of its effect.
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
    """Pricing terms of an agent. Written by its organization.

    Attributes:
        capacity: the number of concurrent jobs that the agent accepts; null if unset.
        calls_per_day: the number of calls that it accepts a day; null if unset.
        bears_discounts: whether a discount lowers the agent's share, and not only the commission.
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
    """Price reserved for a client. Written by the platform's role; changed only when it is used.

    Attributes:
        org_id: the client; no other tenant sees it.
        payee_org_id: the organization of the agent.
        base_minor: the listed price of the whole `quantity`, in minor units of `currency`.
        price_minor: the quoted price.
        commission_bps: the commission of a contract with this quote.
        commission_from: the source of the commission before the discount: `usual`, `level` or `operator`.
        level_version: with `level_name` the level of the agent by reputation; null without levels.
        facts: the input of the price, a `domain.marketplace.pricing.facts.PricingFacts` as JSON.
        adjustments: the lines of the price.
        borne_by: the bearer of the discount, `platform` or `agent`; null without one.
        book_version: the version of the rules.
        contract_id: the contract that used it.
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
