"""Protocol of notification carriers, one for each kind of channel.

Errors of `send` are those of `providers.payments.base`: `ProviderUnavailable` (nothing was accepted), `OutcomeUnknown`
(the connection broke off after the message was sent), `ProviderRefused` (the message, or every recipient, is
permanently refused).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from domain.common.mail import MailText
from providers.payments.base import ProviderUnavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message: recipients, language and text.

    Attributes:
        to: mail addresses, or the URL of a hook.
        unsubscribe: the unsubscribe URL of this type, or None.
    """

    to: tuple[str, ...]
    language: str
    words: MailText
    unsubscribe: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Result by address: accepted, permanently refused, or deferred; with the reason.

    `suppressed` are the addresses in `refused` that were not tried, because earlier mail to them bounced.
    """

    accepted: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    deferred: Mapping[str, str] = field(default_factory=dict)
    suppressed: frozenset[str] = frozenset()


class Throttled(ProviderUnavailable):
    """Nothing can be sent to this address before `retry_after` has passed."""

    def __init__(self, detail: str, retry_after: timedelta) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class Notifier(Protocol):
    """Carrier of messages over one kind of channel."""

    async def send(self, message: Message, *, idempotency_key: str) -> Delivery:
        """Send a message.

        If the channel supports it, the same key gives the same id (the Message-ID of a mail), so duplicates can be
        detected.
        """
