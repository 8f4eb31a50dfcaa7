"""Sessions and the links that open them. Tokens are never stored."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base
from models.tenants.api_key import PLATFORM_ROLES

_OPEN = text("ended_at IS NULL")


class Session(Base):
    """Session of a tenant, or of the platform if `org_id` is null.

    Written by sign-ins and by redeemed links. `ended_at` is set once: by its principal, owners, admins, operators, or
    the end of its key; a trigger then notifies listeners of `bursar_sessions`. `last_used_at` is updated at most once a
    minute.

    Attributes:
        key_id: the key whose end ends the session: the opening key, or the creating key of its link.
        link_id: the link that opened it; null with a key.
        made_by: the creator of that link.
        browser: a short description from the User-Agent header.
    """

    __tablename__ = "sessions"
    __table_args__ = (
        CheckConstraint(f"(org_id IS NULL) = (role IN {PLATFORM_ROLES})", name="platform_roles"),
        CheckConstraint("(agent_id IS NOT NULL) = (role = 'agent')", name="agent_role"),
        CheckConstraint("(link_id IS NULL) = (made_by IS NULL)", name="made_by"),
        CheckConstraint("link_id IS NULL OR org_id IS NOT NULL", name="links"),
        CheckConstraint("(ended_at IS NULL) = (ended_by IS NULL)", name="ended"),
        Index("ix_sessions_org_id", "org_id", "id"),
        Index("ix_sessions_key_id", "key_id", postgresql_where=_OPEN),
        Index("ix_sessions_principal", "org_id", text("lower(principal)"), postgresql_where=_OPEN),
        Index("ix_sessions_expires_at", "expires_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary)
    key_id: Mapped[str] = mapped_column(ForeignKey("api_keys.id"))
    org_id: Mapped[str | None] = mapped_column(ForeignKey("organizations.id"))
    principal: Mapped[str]
    role: Mapped[str]
    agent_id: Mapped[str | None] = mapped_column(ForeignKey("agents.id"))
    link_id: Mapped[str | None] = mapped_column(ForeignKey("session_links.id"), unique=True)
    made_by: Mapped[str | None]
    browser: Mapped[str]
    address: Mapped[str | None]
    idle_seconds: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    last_used_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str | None]


class SessionLink(Base):
    """Link that opens one session of its principal.

    Written by operators, owners and admins, and for people who sign in by mail. `used_at` and `ended_at` are set once.

    Attributes:
        key_id: the creating key, or the key of the person whom it is mailed to; its end ends the link and its session.
        by_mail: whether it is mailed to its principal; its session then belongs to the key.
        path: its target in the console.
        return_url: the return target of the console.
    """

    __tablename__ = "session_links"
    __table_args__ = (
        CheckConstraint(f"role NOT IN {PLATFORM_ROLES}", name="tenant_roles"),
        CheckConstraint("(agent_id IS NOT NULL) = (role = 'agent')", name="agent_role"),
        CheckConstraint("(ended_at IS NULL) = (ended_by IS NULL)", name="ended"),
        Index("ix_session_links_org_id", "org_id", "id"),
        Index("ix_session_links_key_id", "key_id", postgresql_where=_OPEN),
        Index("ix_session_links_expires_at", "expires_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary)
    key_id: Mapped[str] = mapped_column(ForeignKey("api_keys.id"))
    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    principal: Mapped[str]
    role: Mapped[str]
    agent_id: Mapped[str | None] = mapped_column(ForeignKey("agents.id"))
    path: Mapped[str]
    return_url: Mapped[str | None]
    made_by: Mapped[str]
    by_mail: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str | None]
