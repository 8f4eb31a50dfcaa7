"""Messages of what tells people: the reading of facts, the sending, and digests."""

from datetime import datetime

from contracts.base import Message


class FanOut(Message):
    """Reads the outbox and alerts for so long; 0 looks once."""

    seconds: int


class FannedOut(Message):
    """How often was looked, what was found, and how many digests were started that nobody waited for."""

    looks: int
    events: int = 0
    alerts: int = 0
    notifications: int = 0
    digests: int = 0


class SendNotifications(Message):
    """Sends what is due for so long; 0 looks once."""

    seconds: int


class SentNotifications(Message):
    """How many attempts were made, and what became of them; the others are tried again."""

    tried: int
    sent: int = 0
    failed: int = 0
    dropped: int = 0


class DigestInput(Message):
    """Whose digest it is, and which: `daily-2026-11-22`."""

    recipient: str
    digest: str


class CloseDigest(Message):
    """Gathers what waits for a digest, if it is due at `now`."""

    recipient: str
    digest: str
    now: datetime


class ClosedDigest(Message):
    """Until when the digest waits; None once it is closed. Then how much it held, and over how many channels."""

    until: datetime | None = None
    count: int = 0
    messages: int = 0
