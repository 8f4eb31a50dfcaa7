"""Sends messages to Slack channels, by incoming webhooks.

Hooks are called like webhooks, by `HttpWebhookSender`: redirects are failures, proxies of the environment are not used,
and addresses inside of the platform's network are refused. Slack accepts one message a second for each hook.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

import httpcore2

from domain.messages.slack import HOOK_PREFIX, checked_hook, payload
from domain.messages.webhook.address import Target, UrlRefused
from domain.messages.webhook.delivery import ReceiverResponse, retry_after
from providers.judged import Receivers
from providers.notify.base import Delivery, Message, Throttled
from providers.notify.webhook import HttpWebhookSender
from providers.payments.base import OutcomeUnknown, ProviderRefused, ProviderUnavailable

TIMEOUT = timedelta(seconds=15)
#: The time between messages to one hook.
PAUSE = timedelta(seconds=1)
#: The maximum wait for a turn; with a longer one the message is tried again later.
LONGEST_WAIT = timedelta(seconds=5)
#: How long to wait if Slack names no time.
UNTOLD_PAUSE = timedelta(seconds=30)
_BROKE_OFF = (
    TimeoutError,
    httpcore2.TimeoutException,
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    OSError,
)

Sleep = Callable[[float], Awaitable[None]]


class HookTurns(Protocol):
    """The shared pace of messages to each hook. A hook is identified by the hash of its URL."""

    async def take(self, hook: str, *, pause: timedelta, at_most: timedelta) -> tuple[timedelta, bool]:
        """Take the next turn, and return how long to wait for it; the following turn is one pause later.

        The second value is whether it was taken: a turn later than `at_most` from now is not.
        """

    async def hold(self, hook: str, wait: timedelta) -> None:
        """Give no turn before a time has passed."""


class SlackNotifier:
    """Posts to hooks, one message a second each. Whoever makes the sender closes it."""

    def __init__(
        self,
        sender: HttpWebhookSender,
        receivers: Receivers,
        turns: HookTurns,
        *,
        hooks: str = HOOK_PREFIX,
        timeout: timedelta = TIMEOUT,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """Take what posts, who judges addresses, who gives turns, what addresses begin with, and what waiting is."""
        self._sender, self._receivers, self._turns, self._hooks = sender, receivers, turns, hooks
        self._timeout = timeout.total_seconds()
        self._clock, self._sleep = clock, sleep

    async def send(self, message: Message, *, idempotency_key: str) -> Delivery:  # noqa: ARG002 - Slack takes no key
        """Post a message to the one hook in `to`.

        Slack has no idempotency key, so a message that ended as `OutcomeUnknown` and is sent again may appear twice.

        Raises:
            Throttled: Slack, or the pace that it asks for, says when to come again.
        """
        (url,) = message.to
        body = payload(message.words, message.language, unsubscribe=message.unsubscribe)
        target = self._receivers.target(checked_hook(url, hooks=self._hooks))
        hook = hashlib.sha256(url.encode()).hexdigest()
        wait, taken = await self._turns.take(hook, pause=PAUSE, at_most=LONGEST_WAIT)
        if not taken:
            raise Throttled("Slack takes one message a second for each hook.", wait)
        if wait:
            await self._sleep(wait.total_seconds())
        answer = await self._exchange(target, body)
        if answer.status_code == 429:
            wait = retry_after(answer, self._clock()) or UNTOLD_PAUSE
            await self._turns.hold(hook, wait)
            raise Throttled("Slack asks to be left alone for a while.", wait)
        return self._read(answer, url)

    async def _exchange(self, target: Target, body: bytes) -> ReceiverResponse:
        try:
            async with asyncio.timeout(self._timeout):
                return await self._sender.exchange(target, body, {})
        except UrlRefused as refused:
            raise ProviderUnavailable(f"The name of Slack's host is not resolved as it must be: {refused}") from refused
        except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
            raise ProviderUnavailable("Slack could not be reached.") from error
        except _BROKE_OFF as error:
            raise OutcomeUnknown("Slack did not answer.") from error

    def _read(self, answer: ReceiverResponse, url: str) -> Delivery:
        code = answer.status_code or 0
        if 200 <= code < 300:
            return Delivery(accepted=(url,))
        if code >= 500:
            raise OutcomeUnknown(f"Slack answered {code}.")
        raise ProviderRefused(f"Slack does not take messages for this hook: {code} {_word(answer.body)}".rstrip() + ".")


def _word(body: str) -> str:
    """Return Slack's error code, such as `channel_is_archived`; any other text is not used."""
    return body if len(body) <= 60 and body.replace("_", "").isalnum() and body.isascii() else ""
