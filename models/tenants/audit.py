"""Audit trail of privileged actions."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Identity, Index, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base

_ELSEWHERE = text("org_id IS DISTINCT FROM actor_org_id")


class AuditEntry(Base):
    """Privileged action, written in its transaction. Append-only: a trigger refuses changes.

    Attributes:
        org_id: the affected organization, which may read the entry; null for the platform.
        actor_org_id: the actor's organization, which may read it too; null for the platform.
        session_id: the session of the actor; null with a key.
        made_by: the creator of the link that opened the session.
        action: noun and verb, `api_key.create`.
        target: the id of the object.
        details: the parameters, without secrets.
    """

    __tablename__ = "audit_log"
    __table_args__ = (
        Index("ix_audit_log_action_id", "action", "id"),
        Index("ix_audit_log_target_id", "target", "id"),
        Index("ix_audit_log_org_id", "org_id", "id"),
        Index("ix_audit_log_at", text("timezone('UTC'::text, at)")),
        Index("ix_audit_log_org_id_at", "org_id", "at"),
        Index("ix_audit_log_org_id_action_id", "org_id", "action", "id"),
        Index("ix_audit_log_org_id_target_id", "org_id", "target", "id"),
        # An organization's actions elsewhere; its actions at home are found by `org_id`.
        Index("ix_audit_log_actor_org_id", "actor_org_id", "id", postgresql_where=_ELSEWHERE),
        Index("ix_audit_log_actor_org_id_action_id", "actor_org_id", "action", "id", postgresql_where=_ELSEWHERE),
        Index("ix_audit_log_actor_org_id_target_id", "actor_org_id", "target", "id", postgresql_where=_ELSEWHERE),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    org_id: Mapped[str | None]
    principal: Mapped[str]
    role: Mapped[str]
    actor_org_id: Mapped[str | None]
    key_id: Mapped[str | None]
    action: Mapped[str]
    target: Mapped[str] = mapped_column(info={"holds": "identifier"})
    request_id: Mapped[str | None]
    address: Mapped[str | None]
    details: Mapped[dict[str, Any]] = mapped_column(JSONB)
    session_id: Mapped[str | None]
    made_by: Mapped[str | None]
