"""Who is told what over which channel, and what they were told.

`services/notification.py` writes what principals ask for, `activities/notification.py` what they are told. A principal
is `(org_id, principal)` with `org_id` null for the platform, and `principal` in lower case, whatever its key spells;
`recipient` is both in one, see `domain.notification.preferences`.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, DateTime, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class NotificationChannel(Base):
    """A way to a principal, besides its inbox. Kept when it is deleted, because it says how many codes were sent.

    A trigger deletes those of a principal that gets a key while it has none: who comes later is not the one before.

    Attributes:
        address: of mail; null for Slack, and once it is deleted.
        hook: the URL of Slack's hook, sealed; null for mail, and once it is deleted.
        shown: what is shown of where it leads.
        target_digest: by which the same address or URL is recognised.
        code: the one that verifies it, sealed; null once it has.
        code_sent_at: when that was made.
        code_tries: how often it was tried.
        codes_sent_at: when each code was made that was ever sent.
    """

    __tablename__ = "notification_channels"
    __table_args__ = (
        CheckConstraint("kind IN ('mail', 'slack')", name="kind"),
        CheckConstraint("status IN ('pending', 'verified', 'deleted')", name="status"),
        CheckConstraint(
            "status = 'deleted' AND num_nonnulls(address, hook, code) = 0 "
            "OR status <> 'deleted' AND (address IS NOT NULL) = (kind = 'mail') "
            "AND (hook IS NOT NULL) = (kind = 'slack')",
            name="target",
        ),
        Index("ix_notification_channels_recipient_id", "recipient", "id"),
        Index("ix_notification_channels_target", "target_digest"),
        Index(
            "uq_notification_channels_target",
            "recipient",
            "target_digest",
            unique=True,
            postgresql_where=text("status <> 'deleted'"),
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str | None] = mapped_column(ForeignKey("organizations.id"))
    principal: Mapped[str]
    recipient: Mapped[str]
    command_id: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    status: Mapped[str]
    address: Mapped[str | None]
    hook: Mapped[str | None]
    shown: Mapped[str]
    target_digest: Mapped[str]
    code: Mapped[str | None]
    code_sent_at: Mapped[datetime | None]
    code_tries: Mapped[int] = mapped_column(server_default=text("0"))
    codes_sent_at: Mapped[list[datetime]] = mapped_column(ARRAY(DateTime(timezone=True)), server_default=text("'{}'"))
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    verified_at: Mapped[datetime | None]


class NotificationPreferences(Base):
    """What a principal wants to be told. Written by itself, and by whoever has a link that unsubscribes one type.

    Attributes:
        settings: language, time zone, quiet hours, when digests come, and what was chosen by type and channel.
    """

    __tablename__ = "notification_preferences"

    recipient: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str | None] = mapped_column(ForeignKey("organizations.id"))
    principal: Mapped[str]
    settings: Mapped[dict[str, Any]] = mapped_column(JSONB)
    updated_at: Mapped[datetime]


class NotificationDefault(Base):
    """The default timing of a notification type by role, as operators set it; without a row the product's own holds.

    Attributes:
        kind: of `domain.notification.types`.
        roles: role → cadence; whoever is not named is not told.
    """

    __tablename__ = "notification_defaults"

    kind: Mapped[str] = mapped_column(primary_key=True)
    roles: Mapped[dict[str, str]] = mapped_column(JSONB)
    updated_at: Mapped[datetime]


class NotificationRow(Base):
    """One notification of one principal over one channel, and what became of it. Written by the platform's role.

    Attributes:
        source: what it tells of, once for each: the id of an event, an alert, an alert and its step, a code, a digest.
        org_id: of the principal; an operator is told of others' alerts and has none.
        kind: of `domain.notification.types`.
        fact: the type of the event, or `alert`.
        subject: the id of what it is about.
        channel: `inbox`, or the id of one.
        data: what its words are made of; of a digest the ids of what it holds.
        status: `queued` to be sent; `waiting` for its digest; `digested`; `sent`; `failed`; `dropped`, because by then
            nobody was to be told.
        digest: the digest that it waits for, or went out with.
        due_at: when it is sent, tried again, or its digest is due.
        hidden_at: when its principal lost its last key: who comes later does not read it.
    """

    __tablename__ = "notifications"
    __table_args__ = (
        CheckConstraint("status IN ('queued', 'waiting', 'digested', 'sent', 'failed', 'dropped')", name="status"),
        CheckConstraint("(status IN ('waiting', 'digested')) = (digest IS NOT NULL)", name="digest"),
        UniqueConstraint("source", "recipient", "channel", name="uq_notifications_source"),
        Index("ix_notifications_recipient_id", "recipient", "id"),
        Index("ix_notifications_due", "due_at", "id", postgresql_where=text("status = 'queued'")),
        Index(
            "ix_notifications_waiting",
            *("due_at", "recipient", "digest"),
            postgresql_where=text("status = 'waiting'"),
        ),
        Index(
            "ix_notifications_unread",
            *("recipient", "id"),
            postgresql_where=text("channel = 'inbox' AND hidden_at IS NULL AND read_at IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    source: Mapped[str]
    org_id: Mapped[str | None] = mapped_column(ForeignKey("organizations.id"))
    principal: Mapped[str]
    recipient: Mapped[str]
    channel: Mapped[str]
    kind: Mapped[str]
    fact: Mapped[str]
    subject: Mapped[str]
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)
    status: Mapped[str]
    digest: Mapped[str | None]
    due_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    problem: Mapped[str | None]
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    read_at: Mapped[datetime | None]
    hidden_at: Mapped[datetime | None]


class NotificationCursor(Base):
    """Up to where the outbox was read for notifications: one row, locked by whoever reads on."""

    __tablename__ = "notification_cursors"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    read_in: Mapped[int] = mapped_column(BigInteger)
    read_id: Mapped[str]
