"""Notification channels, preferences, and the notifications themselves.

`services/messages/notification.py` writes channels and preferences, `activities/messages/notification.py` the
notifications. A principal is `(org_id, principal)`, with `org_id` null for the platform and `principal` in lower case;
`recipient` combines the two, see `domain.messages.notification.preferences`.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, DateTime, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class NotificationChannel(Base):
    """A channel of a principal besides its inbox. Kept when deleted, because codes sent to it count for the rate limit.

    When a principal without keys gets one, a trigger deletes its channels, because it may be a different person. The
    address of an owner is kept for a while, for mails to every owner, see
    `repositories.messages.notification.mail_addresses`.

    Attributes:
        address: the mail address; null for Slack, and once it is deleted and forgotten.
        hook: the URL of Slack's hook, sealed; null for mail, and once it is deleted.
        shown: the abbreviated address or URL that may be shown.
        target_digest: the digest of the address or URL, to detect duplicates.
        code: the verification code, sealed; null once the channel is verified.
        code_sent_at: when that code was made.
        code_tries: the number of attempts to enter it.
        codes_sent_at: when each code was made.
        removed_at: when it was deleted; null if its address was not kept.
    """

    __tablename__ = "notification_channels"
    __table_args__ = (
        CheckConstraint("kind IN ('mail', 'slack')", name="kind"),
        CheckConstraint("status IN ('pending', 'verified', 'deleted')", name="status"),
        CheckConstraint(
            "status = 'deleted' AND num_nonnulls(hook, code) = 0 AND (address IS NULL OR removed_at IS NOT NULL) "
            "OR status <> 'deleted' AND (address IS NOT NULL) = (kind = 'mail') "
            "AND (hook IS NOT NULL) = (kind = 'slack')",
            name="target",
        ),
        Index("ix_notification_channels_recipient_id", "recipient", "id"),
        Index("ix_notification_channels_target", "target_digest"),
        Index(
            "ix_notification_channels_removed",
            "removed_at",
            postgresql_where=text("status = 'deleted' AND address IS NOT NULL"),
        ),
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
    shown: Mapped[str] = mapped_column(info={"holds": "contact"})
    target_digest: Mapped[str]
    address: Mapped[str | None] = mapped_column(info={"holds": "contact"})
    hook: Mapped[str | None]
    code: Mapped[str | None] = mapped_column(info={"holds": "secret"})
    code_sent_at: Mapped[datetime | None]
    verified_at: Mapped[datetime | None]
    code_tries: Mapped[int] = mapped_column(server_default=text("0"))
    codes_sent_at: Mapped[list[datetime]] = mapped_column(ARRAY(DateTime(timezone=True)), server_default=text("'{}'"))
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    removed_at: Mapped[datetime | None]


class NotificationPreferences(Base):
    """Preferences of a principal. Written by the principal, and by unsubscribe links for one type each.

    Attributes:
        settings: quiet hours, times of digests, and the choices by type and channel.
        locale: a `domain.common.locale.Locale`; null if the principal has set none.
        time_zone: of the IANA database; the same.
    """

    __tablename__ = "notification_preferences"

    org_id: Mapped[str | None] = mapped_column(ForeignKey("organizations.id"))
    principal: Mapped[str]
    recipient: Mapped[str] = mapped_column(primary_key=True)
    settings: Mapped[dict[str, Any]] = mapped_column(JSONB)
    locale: Mapped[str | None]
    time_zone: Mapped[str | None]
    updated_at: Mapped[datetime]


class NotificationDefault(Base):
    """Default cadence of a notification type by role, set by operators. Without a row the built-in one applies.

    Attributes:
        kind: a type in `domain.messages.notification.types`.
        roles: role → cadence; roles that are not listed get no notification.
    """

    __tablename__ = "notification_defaults"

    kind: Mapped[str] = mapped_column(primary_key=True)
    roles: Mapped[dict[str, str]] = mapped_column(JSONB)
    updated_at: Mapped[datetime]


class NotificationRow(Base):
    """A notification to a principal over a channel. Written by the platform's role.

    Attributes:
        source: the id of the reported event, alert, alert with step, code or digest. There is one notification for each
            source, principal and channel.
        org_id: the principal's organization; null for an operator.
        kind: a type in `domain.messages.notification.types`.
        fact: the type of the event, or `alert`.
        subject: the id of the subject.
        channel: `inbox`, or the id of a channel.
        data: the values of its text; for a digest, the ids of its notifications.
        status: `queued` to be sent; `waiting` for its digest; `digested`; `sent`; `failed`; `dropped`, if the principal
            was no longer a recipient when it was due.
        digest: the digest that it waits for, or was sent with.
        due_at: when it is sent or retried, or its digest is due.
        hidden_at: when the principal lost its last key, so that a later holder of the name cannot read it.
    """

    __tablename__ = "notifications"
    __table_args__ = (
        CheckConstraint("status IN ('queued', 'waiting', 'digested', 'sent', 'failed', 'dropped')", name="status"),
        CheckConstraint("(status IN ('waiting', 'digested')) = (digest IS NOT NULL)", name="digest"),
        UniqueConstraint("source", "recipient", "channel", name="uq_notifications_source"),
        Index("ix_notifications_recipient_id", "recipient", "id"),
        Index("ix_notifications_due", "due_at", "id", postgresql_where=text("status = 'queued'")),
        Index(
            "ix_notifications_waiting", *("due_at", "recipient", "digest"), postgresql_where=text("status = 'waiting'")
        ),
        Index(
            "ix_notifications_unread",
            *("recipient", "id"),
            postgresql_where=text("channel = 'inbox' AND hidden_at IS NULL AND read_at IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(info={"holds": "identifier"})
    org_id: Mapped[str | None] = mapped_column(ForeignKey("organizations.id"))
    principal: Mapped[str]
    recipient: Mapped[str]
    channel: Mapped[str] = mapped_column(info={"holds": "identifier"})
    kind: Mapped[str]
    fact: Mapped[str] = mapped_column(info={"holds": "technical"})
    subject: Mapped[str]
    status: Mapped[str]
    digest: Mapped[str | None] = mapped_column(info={"holds": "technical"})
    problem: Mapped[str | None]
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)
    due_at: Mapped[datetime]
    created_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    sent_at: Mapped[datetime | None]
    read_at: Mapped[datetime | None]
    hidden_at: Mapped[datetime | None]


class NotificationCursor(Base):
    """Cursor of notifications in the outbox: one row, locked by its reader."""

    __tablename__ = "notification_cursors"

    name: Mapped[str] = mapped_column(Text, primary_key=True, info={"holds": "technical"})
    read_id: Mapped[str]
    read_in: Mapped[int] = mapped_column(BigInteger)
