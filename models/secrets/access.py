"""The log of access to secrets, and the seals that chain it."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Identity, Index, Integer, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class SecretAccess(Base):
    """One request for a secret, also one that was refused. Written by `open_secret` alone; rows never change.

    Attributes:
        written_in: the transaction that wrote it, by which entries are sealed.
        verb: `use`, `read`, or the platform's own `rotate` and `check`.
        outcome: a `domain.secrets.access.AccessOutcome`.
        grant_id: the grant that allowed it, or the last one that did not.
        key_id: the API key of the request; null for the platform's own verbs.
        reference: what it was for, such as the id of a use.
    """

    __tablename__ = "secret_access"
    __table_args__ = (
        CheckConstraint("verb IN ('use', 'read', 'rotate', 'check')", name="verb"),
        CheckConstraint(
            "outcome IN ('opened', 'not_found', 'no_grant', 'no_version', 'host', 'method', 'place', 'header', 'uses',"
            " 'operator')",
            name="outcome",
        ),
        Index("ix_secret_access_org_id_path_number", "org_id", "path", "number"),
        Index("ix_secret_access_written_in_number", "written_in", "number"),
    )

    number: Mapped[int] = mapped_column(Identity(always=True), primary_key=True, info={"holds": "identifier"})
    written_in: Mapped[int] = mapped_column(server_default=text("pg_current_xact_id()::text::bigint"))
    org_id: Mapped[str]
    secret_id: Mapped[str | None]
    path: Mapped[str]
    version: Mapped[int | None] = mapped_column(Integer)
    verb: Mapped[str]
    outcome: Mapped[str]
    grant_id: Mapped[str | None]
    principal: Mapped[str]
    key_id: Mapped[str | None]
    agent_id: Mapped[str | None]
    host: Mapped[str | None]
    method: Mapped[str | None]
    purpose: Mapped[str | None] = mapped_column(info={"holds": "free_text"})
    reference: Mapped[str | None]
    at: Mapped[datetime]


class SecretAccessSeal(Base):
    """The hash of the seal before it and of the entries since that. Written each minute; rows never change.

    Attributes:
        last_written_in: with `last_number`, the position of the last entry that it covers.
        entries: how many entries it covers.
        hash: SHA-256.
    """

    __tablename__ = "secret_access_seals"
    __table_args__ = (CheckConstraint("entries > 0 AND number > 0 AND length(hash) = 32", name="entries"),)

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    last_written_in: Mapped[int]
    last_number: Mapped[int]
    entries: Mapped[int] = mapped_column(Integer)
    hash: Mapped[bytes] = mapped_column(LargeBinary)
    sealed_at: Mapped[datetime]
