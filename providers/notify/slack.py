"""Carries messages to channels of Slack, by incoming webhooks.

A hook is posted to over the judged socket of webhooks: a redirect is a failure, nothing is taken from the environment,
and an address inside of the platform's network is not connected to. Slack takes one message a second for each hook.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import httpcore2

from domain.slack import HOOKS, checked_hook, payload
from domain.webhook.address import Target, UrlRefused
from domain.webhook.delivery import Answer, retry_after
from providers.notify.base import Delivery, Message, Throttled
from providers.notify.webhook import HttpWebhookSender, Receivers
from providers.payments.base import OutcomeUnknown, ProviderRefused, ProviderUnavailable

TIMEOUT = timedelta(seconds=15)
#: How far the messages to one hook lie apart.
PAUSE = timedelta(seconds=1)
#: Whoever would wait for its turn for longer comes again later.
LONGEST_WAIT = timedelta(seconds=5)
#: What is waited for where Slack says no time.
UNTOLD_PAUSE = timedelta(seconds=30)
_FORGET_ABOVE = 10_000
_BROKE_OFF = (
    TimeoutError,
    httpcore2.TimeoutException,
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    OSError,
)

Sleep = Callable[[float], Awaitable[None]]


class SlackNotifier:
    """Posts to hooks, one message a second each. Whoever makes the sender closes it."""

    def __init__(
        self,
        sender: HttpWebhookSender,
        receivers: Receivers,
        *,
        hooks: str = HOOKS,
        timeout: timedelta = TIMEOUT,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """Take what posts, who judges addresses, what addresses begin with, and what waiting is."""
        self._sender, self._receivers, self._hooks = sender, receivers, hooks
        self._timeout = timeout.total_seconds()
        self._clock, self._sleep = clock, sleep
        #: Hash of a hook → when it may be posted to next.
        self._free_at: dict[bytes, datetime] = {}

    async def send(self, message: Message, *, idempotency_key: str) -> Delivery:  # noqa: ARG002 - Slack takes no key
        """Post a message to the one hook in `to`.

        Slack knows no key, so what ends as `OutcomeUnknown` and is sent again may stand there twice.

        Raises:
            Throttled: Slack, or the pace that it asks for, says when to come again.
        """
        (url,) = message.to
        body = payload(message.words, message.language, unsubscribe=message.unsubscribe)
        target = self._receivers.target(checked_hook(url, hooks=self._hooks))
        hook = hashlib.sha256(url.encode()).digest()
        await self._wait_for_turn(hook)
        answer = await self._exchange(target, body)
        return self._read(answer, url, hook)

    async def _wait_for_turn(self, hook: bytes) -> None:
        now = self._clock()
        turn = max(now, self._free_at.get(hook, now))
        wait = turn - now
        if wait > LONGEST_WAIT:
            raise Throttled("Slack takes one message a second for each hook.", wait)
        if len(self._free_at) >= _FORGET_ABOVE:
            self._free_at = {each: at for each, at in self._free_at.items() if at > now}
        # Before the wait, so that whoever comes meanwhile is behind.
        self._free_at[hook] = turn + PAUSE
        if wait:
            await self._sleep(wait.total_seconds())

    async def _exchange(self, target: Target, body: bytes) -> Answer:
        try:
            async with asyncio.timeout(self._timeout):
                return await self._sender.exchange(target, body, {})
        except UrlRefused as refused:
            raise ProviderUnavailable(f"The name of Slack's host is not resolved as it must be: {refused}") from refused
        except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
            raise ProviderUnavailable("Slack could not be reached.") from error
        except _BROKE_OFF as error:
            raise OutcomeUnknown("Slack did not answer.") from error

    def _read(self, answer: Answer, url: str, hook: bytes) -> Delivery:
        code = answer.status_code or 0
        if 200 <= code < 300:
            return Delivery(accepted=(url,))
        if code == 429:
            now = self._clock()
            wait = retry_after(answer, now) or UNTOLD_PAUSE
            self._free_at[hook] = now + wait
            raise Throttled("Slack asks to be left alone for a while.", wait)
        if code >= 500:
            raise OutcomeUnknown(f"Slack answered {code}.")
        raise ProviderRefused(f"Slack does not take messages for this hook: {code} {_word(answer.body)}".rstrip() + ".")


def _word(body: str) -> str:
    """Return Slack's word for what is wrong, such as `channel_is_archived`; anything else is not repeated."""
    return body if len(body) <= 60 and body.replace("_", "").isalnum() and body.isascii() else ""
