"""The seam between what people are told and whoever carries it to them: one Protocol, and one provider for each way.

Errors of `send` are those of the payment seam, with the same meaning: `ProviderUnavailable` (nothing was accepted),
`OutcomeUnknown` (the connection broke off after the text was sent), `ProviderRefused` (the carrier refuses this text,
or everybody it is for, for good).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from domain.mail import Written
from providers.payments.base import ProviderUnavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message: to whom, in which language, and its words.

    Attributes:
        to: addresses of mail, or the one URL of a hook.
        unsubscribe: the URL that ends messages of this type; None for what cannot be unsubscribed.
    """

    to: tuple[str, ...]
    language: str
    words: Written
    unsubscribe: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What the carrier said of each address: it took the message, never will, or may later; with its reason.

    `suppressed` are those of `refused` that were not asked for, because mail to them came back before.
    """

    accepted: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    deferred: Mapping[str, str] = field(default_factory=dict)
    suppressed: frozenset[str] = frozenset()


class Throttled(ProviderUnavailable):
    """The carrier takes nothing for this address before `retry_after` is over."""

    def __init__(self, detail: str, retry_after: timedelta) -> None:
        """Say how long to wait."""
        super().__init__(detail)
        self.retry_after = retry_after


class Notifier(Protocol):
    """Carries messages one way."""

    async def send(self, message: Message, *, idempotency_key: str) -> Delivery:
        """Hand a message over.

        The same key makes the same message wherever the way has a mark for that (Message-ID of a mail), by which one
        that came twice is recognised.
        """
