"""API keys, which identify the sender of a request. The secret is never stored."""

from datetime import datetime

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Index, LargeBinary, SmallInteger, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base

#: Roles of keys without an organization, as an SQL list.
PLATFORM_ROLES = "('operator', 'arbiter', 'validator', 'accountant', 'platform_auditor')"


class ApiKey(Base):
    """Key of a tenant, or of the platform if `org_id` is null.

    Written for operators, owners and admins, in the platform's session: a tenant's session only reads keys. `issued_by`
    is the issuing key. `revoked_at` is set once; `last_used_at` is updated at most once a minute. A trigger notifies
    listeners of `bursar_api_keys` of every change, so that a revoked key stops in every process at once. Names of
    principals ignore case. Partial indexes limit a principal to two active keys, in two places, so that a key can be
    replaced without a gap. `department_id` and `project_id` are charged for its spends; only owners and admins set
    them. `permissions` are additional to the role's, and never change. The key of a person, who signs in by mail, has
    no `secret_hash`: only a link mailed to the address in `principal` opens a session. `accepted_at` is the first
    sign-in; until then `expires_at` is the end of the invitation.
    """

    __tablename__ = "api_keys"
    __table_args__ = (
        CheckConstraint(f"(org_id IS NULL) = (role IN {PLATFORM_ROLES})", name="platform_roles"),
        CheckConstraint("(agent_id IS NOT NULL) = (role = 'agent')", name="agent_role"),
        CheckConstraint(
            "permissions = '{}' OR role = 'agent' AND permissions <@ '{read_billing,accept,refund}'", name="permissions"
        ),
        CheckConstraint("org_id IS NOT NULL OR (department_id IS NULL AND project_id IS NULL)", name="spends"),
        CheckConstraint("accepted_at IS NULL OR secret_hash IS NULL", name="accepted"),
        CheckConstraint("secret_hash IS NOT NULL OR (org_id IS NOT NULL AND role <> 'agent')", name="people"),
        Index(
            "uq_api_keys_principal",
            "org_id",
            text("lower(principal)"),
            "place",
            unique=True,
            postgresql_where=text("revoked_at IS NULL AND org_id IS NOT NULL"),
        ),
        Index(
            "uq_api_keys_platform_principal",
            text("lower(principal)"),
            "place",
            unique=True,
            postgresql_where=text("revoked_at IS NULL AND org_id IS NULL"),
        ),
        Index("ix_api_keys_org_id", "org_id", "id"),
        # Each new key asks for all that its principal ever had, see `forget_recipient`.
        Index("ix_api_keys_principal", "org_id", text("lower(principal)")),
        Index("ix_api_keys_qualified", text("lower(coalesce(org_id || '/', '') || principal)"), "place", "created_at"),
        Index(
            "ix_api_keys_people",
            text("lower(principal)"),
            postgresql_where=text("secret_hash IS NULL AND revoked_at IS NULL"),
        ),
        Index("ix_api_keys_department_id", "department_id", postgresql_where=text("department_id IS NOT NULL")),
        Index("ix_api_keys_issued_by", "issued_by", postgresql_where=text("issued_by IS NOT NULL")),
        Index("ix_api_keys_active", "id", postgresql_where=text("revoked_at IS NULL")),
        Index("ix_api_keys_org_id_active", "org_id", "id", postgresql_where=text("revoked_at IS NULL")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str | None] = mapped_column(ForeignKey("organizations.id"))
    principal: Mapped[str]
    place: Mapped[int] = mapped_column(SmallInteger, server_default=text("1"))
    role: Mapped[str]
    agent_id: Mapped[str | None] = mapped_column(ForeignKey("agents.id"))
    secret_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_by: Mapped[str]
    issued_by: Mapped[str | None] = mapped_column(ForeignKey("api_keys.id"), info={"holds": "identifier"})
    command_id: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    department_id: Mapped[str | None] = mapped_column(ForeignKey("departments.id"))
    project_id: Mapped[str | None] = mapped_column(ForeignKey("projects.id"))
    permissions: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    accepted_at: Mapped[datetime | None]
