"""Messages of notifications: reading events and alerts, sending, and digests."""

from datetime import datetime
from typing import Annotated

from contracts.common.base import Message
from domain.privacy.data_map import TECHNICAL


class FanOut(Message):
    """Reads the outbox and alerts for `seconds`; 0 reads once."""

    seconds: int


class FanOutResult(Message):
    looks: int
    events: int = 0
    alerts: int = 0
    notifications: int = 0
    digests: int = 0


class SendNotifications(Message):
    """Sends due notifications for `seconds`; 0 reads once."""

    seconds: int


class SentNotifications(Message):
    """The number of attempts and their outcomes; the others are retried."""

    tried: int
    sent: int = 0
    failed: int = 0
    dropped: int = 0


class DigestInput(Message):
    """The recipient and the key of a digest: `daily-2026-11-22`."""

    recipient: str
    digest: Annotated[str, TECHNICAL]


class CloseDigest(Message):
    """Closes a digest, if it is due at `now`."""

    recipient: str
    digest: Annotated[str, TECHNICAL]
    now: datetime


class ClosedDigest(Message):
    """Until when the digest waits; None once it is closed, with the number of its notifications and channels."""

    until: datetime | None = None
    count: int = 0
    messages: int = 0
