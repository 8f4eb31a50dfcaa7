"""Secrets and their versions. Only the SQL function `open_secret` reads sealed values."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, LargeBinary, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class Secret(Base):
    """Secret at a path. Written by the platform's role; never deleted.

    Attributes:
        kind: a `domain.secrets.secret.SecretKind`.
        backend: the store of its values: `postgres` or `vault`.
        hosts: the only allowed hosts; empty leaves that to the grants.
        rotation: the rotation plan; null without one.
        current_version: the version in use; null without one.
        last_number: the last assigned version number, even if that version was never stored.
    """

    __tablename__ = "secrets"
    __table_args__ = (
        UniqueConstraint("org_id", "path"),
        CheckConstraint(
            "path ~ '^(payments|api_keys|access_credentials)/[a-z0-9_./-]+$' AND length(path) <= 200", name="path"
        ),
        CheckConstraint(
            "kind IN ('reference', 'api_key', 'password', 'login', 'other')"
            " AND (kind = 'reference') = (path LIKE 'payments/%')",
            name="kind",
        ),
        CheckConstraint("backend IN ('postgres', 'vault')", name="backend"),
        CheckConstraint("current_version BETWEEN 1 AND last_number", name="current_version"),
        Index("ix_secrets_org_id_id", "org_id", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    path: Mapped[str]
    kind: Mapped[str]
    backend: Mapped[str]
    hosts: Mapped[list[str]] = mapped_column(ARRAY(Text))
    rotation: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True), info={"holds": "technical"})
    current_version: Mapped[int | None] = mapped_column(Integer)
    last_number: Mapped[int] = mapped_column(Integer)
    created_by: Mapped[str]
    created_at: Mapped[datetime]


class SecretVersion(Base):
    """Version of a secret. Written by the platform's role; no role can select `sealed` or `wrapped_key`.

    Attributes:
        number: the first is 1; numbers may have gaps.
        status: a `domain.secrets.secret.VersionStatus`; at most one version each is pending, current and previous.
        sealed: the value encrypted with the version's key; null with another backend, and once destroyed.
        wrapped_key: that key, wrapped with the key `key_id` of the key wrapper.
        usable_until: the end of the use of a previous version.
        command_id: the command that created it.
    """

    __tablename__ = "secret_versions"
    __table_args__ = (
        CheckConstraint("number > 0", name="number"),
        CheckConstraint(
            "status IN ('pending', 'current', 'previous', 'retired', 'destroyed')"
            " AND (status = 'previous') = (usable_until IS NOT NULL)"
            " AND (status = 'destroyed') = (destroyed_at IS NOT NULL)",
            name="status",
        ),
        CheckConstraint("destroyed_at IS NULL OR num_nonnulls(sealed, wrapped_key, key_id) = 0", name="destroyed"),
        Index(
            "uq_secret_versions_one",
            "secret_id",
            "status",
            unique=True,
            postgresql_where=text("status IN ('pending', 'current', 'previous')"),
        ),
        Index("ix_secret_versions_org_id", "org_id"),
    )

    secret_id: Mapped[str] = mapped_column(ForeignKey("secrets.id"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    status: Mapped[str]
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True, deferred_raiseload=True)
    wrapped_key: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True, deferred_raiseload=True)
    key_id: Mapped[str | None]
    usable_until: Mapped[datetime | None]
    created_by: Mapped[str]
    command_id: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    destroyed_at: Mapped[datetime | None]
