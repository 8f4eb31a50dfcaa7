"""Messages posted to a Slack hook, their timing, and Slack's replies."""

import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dev.sandbox.paypal.certificates import make_chain
from domain.common.errors import Invalid
from domain.common.mail import MailText
from providers.judged import Receivers
from providers.notify.base import Delivery, Message, Throttled
from providers.notify.slack import LONGEST_WAIT, SlackNotifier
from providers.notify.webhook import HttpWebhookSender
from providers.payments.base import OutcomeUnknown, ProviderRefused, ProviderUnavailable
from tests.support.receivers import Detour, Receiver, Reply, answers, drops, hangs, receiving

WORDS = MailText(subject="Credits are low", paragraphs=("12 credits are left.",))


class Clock:
    """A clock that advances only by waiting."""

    def __init__(self) -> None:
        self.now, self.waits = datetime(2026, 11, 1, tzinfo=UTC), list[float]()

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += timedelta(seconds=seconds)


class OwnTurns:
    """Turns of one process with its own clock."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock, self._free_at = clock or Clock(), dict[str, datetime]()

    async def take(self, hook: str, *, pause: timedelta, at_most: timedelta) -> tuple[timedelta, bool]:
        turn = max(self._clock.now, self._free_at.get(hook, self._clock.now))
        if turn - self._clock.now > at_most:
            return turn - self._clock.now, False
        self._free_at[hook] = turn + pause
        return turn - self._clock.now, True

    async def hold(self, hook: str, wait: timedelta) -> None:
        self._free_at[hook] = self._clock.now + wait


@asynccontextmanager
async def slack(
    reply: Reply, turns: OwnTurns | None = None, **options: Any
) -> AsyncIterator[tuple[SlackNotifier, Receiver, Message]]:
    receivers = Receivers(local=True)
    sender = HttpWebhookSender(receivers)
    async with receiving(reply) as receiver:
        hooks = f"http://127.0.0.1:{receiver.port}/"
        message = Message(to=(f"{hooks}services/T0/B0/x",), language="en", words=WORDS)
        try:
            yield SlackNotifier(sender, receivers, turns or OwnTurns(), hooks=hooks, **options), receiver, message
        finally:
            await sender.aclose()


async def test_a_message_is_posted_and_others_are_a_second_apart():
    clock = Clock()
    async with slack(answers(200, b"ok"), OwnTurns(clock), sleep=clock.sleep) as (notifier, receiver, message):
        for _ in range(3):
            assert await notifier.send(message, idempotency_key="k") == Delivery(accepted=message.to)
        assert clock.waits == [1.0, 1.0]
        other = Message(to=(message.to[0] + "y",), language="en", words=WORDS)
        await notifier.send(other, idempotency_key="k")
    assert clock.waits == [1.0, 1.0]
    assert {each.line for each in receiver.received} == {
        "POST /services/T0/B0/x HTTP/1.1",
        "POST /services/T0/B0/xy HTTP/1.1",
    }
    assert b"12 credits are left." in receiver.received[0].body


async def test_turn_too_far_ahead_is_retried_later():
    asked: list[float] = []

    async def stands_still(seconds: float) -> None:
        asked.append(seconds)

    async with slack(answers(200), sleep=stands_still) as (notifier, receiver, message):
        for _ in range(6):
            await notifier.send(message, idempotency_key="k")
        with pytest.raises(Throttled) as throttled:
            await notifier.send(message, idempotency_key="k")
    assert asked == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert throttled.value.retry_after > LONGEST_WAIT
    assert len(receiver.received) == 6


async def test_delay_requested_by_slack_is_respected():
    async with slack(answers(429, Retry_After="30")) as (notifier, receiver, message):
        for _ in range(2):
            with pytest.raises(Throttled) as throttled:
                await notifier.send(message, idempotency_key="k")
            assert timedelta(seconds=29) < throttled.value.retry_after <= timedelta(seconds=30)
        assert len(receiver.received) == 1


@pytest.mark.parametrize(
    ("reply", "error", "said"),
    [
        (answers(410, b"channel_is_archived"), ProviderRefused, "410 channel_is_archived"),
        (answers(404, b"<html>no_service</html>"), ProviderRefused, "404."),
        (answers(500, b"rollup_error"), OutcomeUnknown, "500"),
        (drops, OutcomeUnknown, "did not answer"),
        (hangs, OutcomeUnknown, "did not answer"),
    ],
)
async def test_slack_replies_are_distinguished(reply: Reply, error: type[Exception], said: str):
    async with slack(reply, timeout=timedelta(seconds=0.3 if reply is hangs else 60)) as (notifier, _, message):
        with pytest.raises(error, match=said) as failed:
            await notifier.send(message, idempotency_key="k")
    # The address is a secret.
    assert "services" not in str(failed.value)


async def test_redirect_to_an_internal_address_is_not_followed():
    async with receiving() as inside, slack(answers(307, location=inside.url)) as (notifier, _, message):
        with pytest.raises(ProviderRefused):
            await notifier.send(message, idempotency_key="k")
        assert inside.connections == 0


def answering(*addresses: str) -> Receivers:
    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return addresses

    return Receivers(resolver=resolve)


async def test_messages_are_posted_only_to_slack(tmp_path: Path):
    root, leaf, key = make_chain("hooks.slack.com")
    (tmp_path / "leaf.pem").write_bytes(leaf + key)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(tmp_path / "leaf.pem")
    message = Message(to=("https://hooks.slack.com/services/T0/B0/x",), language="en", words=WORDS)
    async with receiving(answers(200, b"ok"), tls=serving) as receiver:
        for address, arrives in (("93.184.215.14", True), ("169.254.169.254", False)):
            judges, detour = answering(address), Detour(receiver.port)
            sender = HttpWebhookSender(judges, roots=ssl.create_default_context(cadata=root.decode()), dial=detour)
            notifier = SlackNotifier(sender, judges, OwnTurns())
            if arrives:
                await notifier.send(message, idempotency_key="k")
            else:
                with pytest.raises(ProviderUnavailable):
                    await notifier.send(message, idempotency_key="k")
            with pytest.raises(Invalid):
                await notifier.send(
                    Message(to=("https://evil.example/services/T0/B0/x",), language="en", words=WORDS),
                    idempotency_key="k",
                )
            assert detour.dialed == ([address] if arrives else [])
            await sender.aclose()
    assert receiver.names == ["hooks.slack.com"]
