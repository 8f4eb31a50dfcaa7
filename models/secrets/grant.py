"""Grants of secrets, and their daily counts of uses."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, Text, func, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class SecretGrant(Base):
    """Grant to a principal or an agent. Written by the platform's role; its terms never change.

    Attributes:
        paths: exact paths, and `prefix/*` for all below one.
        verbs: `use`, `read`.
        hosts: hosts of requests of `use`: names, with a port unless it is 443.
        methods: their HTTP methods.
        places: places of the value in a request, see `domain.secrets.secret_use.placing`.
        headers: further headers that a use may set.
        uses_per_day: the limit of uses on a UTC day; null for no limit.
        price_minor: the price of a use, in minor units of credits; with a meter, the hold.
        meter: the provider whose model prices charge the usage in the response.
        charged_statuses: charged response statuses: `404`, or `2xx` for a class.
    """

    __tablename__ = "secret_grants"
    __table_args__ = (
        CheckConstraint("num_nonnulls(principal, agent_id) = 1", name="who"),
        CheckConstraint(
            "verbs <@ '{use,read}' AND verbs <> '{}' AND paths <> '{}'"
            " AND (NOT 'use' = ANY (verbs) OR (hosts <> '{}' AND methods <> '{}'))",
            name="verbs",
        ),
        CheckConstraint("price_minor > 0 AND (meter IS NULL OR price_minor IS NOT NULL)", name="price"),
        CheckConstraint("uses_per_day > 0", name="uses_per_day"),
        CheckConstraint("(revoked_at IS NULL) = (revoked_by IS NULL)", name="revoked"),
        Index("ix_secret_grants_org_id_id", "org_id", "id"),
        Index("ix_secret_grants_agent_id", "agent_id", postgresql_where=text("agent_id IS NOT NULL")),
        Index(
            "ix_secret_grants_principal",
            "org_id",
            func.lower(text("principal")),
            postgresql_where=text("principal IS NOT NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    principal: Mapped[str | None]
    agent_id: Mapped[str | None] = mapped_column(ForeignKey("agents.id"))
    paths: Mapped[list[str]] = mapped_column(ARRAY(Text))
    verbs: Mapped[list[str]] = mapped_column(ARRAY(Text))
    hosts: Mapped[list[str]] = mapped_column(ARRAY(Text))
    methods: Mapped[list[str]] = mapped_column(ARRAY(Text))
    places: Mapped[list[str]] = mapped_column(
        ARRAY(Text), server_default=text("'{basic,header:authorization}'"), info={"holds": "technical"}
    )
    headers: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    uses_per_day: Mapped[int | None] = mapped_column(Integer)
    price_minor: Mapped[int | None]
    meter: Mapped[str | None]
    charged_statuses: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{2xx}'"))
    ends_at: Mapped[datetime]
    created_by: Mapped[str]
    command_id: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    revoked_by: Mapped[str | None]


class SecretGrantDay(Base):
    """Number of uses of a grant on a UTC day. `open_secret` increments it, `return_unsent_use` decrements it."""

    __tablename__ = "secret_grant_days"
    __table_args__ = (CheckConstraint("uses >= 0", name="uses"), {"postgresql_with": {"fillfactor": "50"}})

    grant_id: Mapped[str] = mapped_column(ForeignKey("secret_grants.id"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    org_id: Mapped[str]
    uses: Mapped[int] = mapped_column(Integer, info={"holds": "technical"})
