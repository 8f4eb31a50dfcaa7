"""The protocol of notification channels, with one implementation for each kind of channel.

Errors of `send` are those of `providers.payments.base`, with the same meaning: `ProviderUnavailable` (nothing was
accepted), `OutcomeUnknown` (the connection broke off after the message was sent), `ProviderRefused` (the message, or
every recipient, is refused for good).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from domain.common.mail import MailText
from providers.payments.base import ProviderUnavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message: recipients, language and text.

    Attributes:
        to: mail addresses, or the one URL of a hook.
        unsubscribe: the URL to unsubscribe from this type; None if that is not possible.
    """

    to: tuple[str, ...]
    language: str
    words: MailText
    unsubscribe: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The result for each address: accepted, refused for good, or to be tried later; with the reason.

    `suppressed` are the addresses of `refused` that were not tried, because earlier mail to them bounced.
    """

    accepted: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    deferred: Mapping[str, str] = field(default_factory=dict)
    suppressed: frozenset[str] = frozenset()


class Throttled(ProviderUnavailable):
    """Nothing can be sent to this address before `retry_after` is over."""

    def __init__(self, detail: str, retry_after: timedelta) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class Notifier(Protocol):
    """Sends messages over one kind of channel."""

    async def send(self, message: Message, *, idempotency_key: str) -> Delivery:
        """Send a message.

        If the channel supports it, the same key gives the same id (the Message-ID of a mail), so a duplicate can be
        recognised.
        """
