"""Grants: who may use or read which secrets, and how often they did."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, Text, func, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class SecretGrant(Base):
    """One grant to a principal or an agent. Written by the platform's role; what was granted never changes.

    Attributes:
        paths: exact paths, and `prefix/*` for all below one.
        verbs: `use`, `read`.
        hosts: where `use` may send requests: names, with a port where it is not 443.
        methods: by which HTTP methods.
        places: where in a request the value may stand, as `domain.secrets.secret_use.placing` names it.
        headers: which a use may set beside those that every use may.
        uses_per_day: how often on a UTC day; null is no limit.
        price_minor: what one use costs, in minor units of credits; with a meter, what is held for it.
        meter: the provider by whose model prices the answer's usage is charged.
        charged_statuses: the answers that are charged: `404`, or `2xx` for a class.
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
    """How often a grant was used on a UTC day. `open_secret` counts, `return_unsent_use` takes one back."""

    __tablename__ = "secret_grant_days"
    __table_args__ = (CheckConstraint("uses >= 0", name="uses"), {"postgresql_with": {"fillfactor": "50"}})

    grant_id: Mapped[str] = mapped_column(ForeignKey("secret_grants.id"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    org_id: Mapped[str]
    uses: Mapped[int] = mapped_column(Integer, info={"holds": "technical"})
