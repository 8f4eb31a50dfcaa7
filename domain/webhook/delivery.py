"""What the answer to a webhook means, and when it is sent again: the rules of Standard Webhooks. Pure.

The times are those that its specification recommends (https://www.standardwebhooks.com).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Protocol, TypeVar

#: The pause before each try after a failure; the first try waits for nothing, and after the last there is none.
PAUSES = (
    timedelta(0),
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    *(timedelta(hours=hours) for hours in (2, 5, 10, 14, 20, 24)),
)
TRIES = len(PAUSES)
#: A pause is longer by up to so many percent, so that what failed together is not sent again together.
JITTER = 20
#: The longest `Retry-After` that is honoured.
LONGEST_RETRY_AFTER = timedelta(days=1)
#: How long the whole endpoint is left alone after one answer, and after each further one, that says it is overloaded.
SLOWED = tuple(timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 1800))
#: Without a success for so long while something waits, an endpoint is disabled.
GIVES_UP_AFTER = timedelta(days=5)
#: How long what a receiver answered is kept.
ANSWER_KEPT = timedelta(days=30)

#: The error of a try that the receiver did not answer in time.
TIMED_OUT = "webhook.timeout"
_GONE = 410
_OVERLOADED = frozenset({429, 502, 504})


class DeliveryStatus(StrEnum):
    """The status of a delivery."""

    PENDING = "pending"  # to be sent, or sent again
    DELIVERED = "delivered"  # answered with 2xx
    FAILED = "failed"  # every try failed
    SKIPPED = "skipped"  # an operator said not to send it


class Verdict(StrEnum):
    """What an answer means."""

    DELIVERED = "delivered"
    FAILED = "failed"
    OVERLOADED = "overloaded"  # as failed, and the endpoint is slowed
    GONE = "gone"  # as failed, and the endpoint is disabled


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of one request.

    Attributes:
        status_code: of the HTTP response; None where there was none.
        error: why there was none or it does not count, as a code; None where there was a response.
        body: the beginning of the response.
        retry_after: the header, as it stood.
    """

    status_code: int | None = None
    error: str | None = None
    body: str = ""
    retry_after: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """The state of a delivery after a try.

    Attributes:
        status: of the delivery.
        next_at: when it is tried again; None where it is not.
    """

    status: DeliveryStatus
    next_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How an endpoint takes what it is sent.

    Attributes:
        slow_until: nothing is sent to it before.
        slowed: how often it has said that it is overloaded since it last took something.
        failing_since: when the first try failed since it last took something, or since nothing waited any more.
    """

    slow_until: datetime | None = None
    slowed: int = 0
    failing_since: datetime | None = None

    def width(self, most: int) -> int:
        """Return how many requests it is sent at once: one, until it takes something again, while it is slowed."""
        return 1 if self.slowed else most

    def has_failed_too_long(self, now: datetime) -> bool:
        """Return whether it is given up."""
        return self.failing_since is not None and now - self.failing_since >= GIVES_UP_AFTER


def verdict(answer: Answer) -> Verdict:
    """Return the result of an answer: 2xx is a success, a redirect is not, and everything else is tried again."""
    code = answer.status_code
    if code is None or answer.error is not None:
        return Verdict.FAILED
    if 200 <= code < 300:
        return Verdict.DELIVERED
    if code == _GONE:
        return Verdict.GONE
    return Verdict.OVERLOADED if code in _OVERLOADED else Verdict.FAILED


def retry_after(answer: Answer, now: datetime) -> timedelta | None:
    """Read Retry-After, up to a day; None if it is missing or not understood."""
    text = (answer.retry_after or "").strip()
    if text.isascii() and text.isdigit():
        # A day has five digits; what is longer is not read as a number at all.
        asked = timedelta(seconds=int(text)) if len(text) <= 6 else LONGEST_RETRY_AFTER
    else:
        try:
            at = parsedate_to_datetime(text)
        except (ValueError, IndexError, OverflowError):
            return None
        if at.tzinfo is None:
            return None
        asked = at - now
    return min(asked, LONGEST_RETRY_AFTER) if asked > timedelta(0) else None


def after_try(answer: Answer, *, tries: int, now: datetime, jitter: int) -> Next:
    """Return the state of a delivery after a try.

    Args:
        answer: to the latest try.
        tries: how often it was tried, this one included.
        now: when the answer came.
        jitter: by how many percent the pause is longer, drawn from 0 to `JITTER`.
    """
    if verdict(answer) is Verdict.DELIVERED:
        return Next(status=DeliveryStatus.DELIVERED)
    if tries >= TRIES:
        return Next(status=DeliveryStatus.FAILED)
    pause = PAUSES[tries] * (100 + jitter) / 100
    return Next(status=DeliveryStatus.PENDING, next_at=now + max(pause, retry_after(answer, now) or timedelta(0)))


def pace_after(pace: Pace, answer: Answer, now: datetime) -> Pace:
    """Say how the endpoint is treated after an answer."""
    said = verdict(answer)
    if said is Verdict.DELIVERED:
        # What was under way when another answer asked for a pause does not end it.
        is_slow = pace.slow_until is not None and pace.slow_until > now
        return Pace(slow_until=pace.slow_until if is_slow else None)
    since = pace.failing_since or now
    if said is not Verdict.OVERLOADED:
        return Pace(slow_until=pace.slow_until, slowed=pace.slowed, failing_since=since)
    return _slowed(replace(pace, failing_since=since), retry_after(answer, now), now)


def pace_after_silence(pace: Pace, now: datetime) -> Pace:
    """Say how an endpoint is treated that answered nothing of what it was sent: as one that says it is overloaded."""
    return _slowed(pace, None, now)


def _slowed(pace: Pace, asked: timedelta | None, now: datetime) -> Pace:
    pause = asked or SLOWED[min(pace.slowed, len(SLOWED) - 1)]
    until = now + pause if pace.slow_until is None else max(pace.slow_until, now + pause)
    return replace(pace, slow_until=until, slowed=pace.slowed + 1)


class Queued(Protocol):
    """What waits for its turn."""

    @property
    def subject(self) -> str: ...  # noqa: D102

    @property
    def subject_seq(self) -> int: ...  # noqa: D102


Q = TypeVar("Q", bound=Queued)


def lanes(queued: Iterable[Q], *, ordered: bool) -> Sequence[Sequence[Q]]:
    """Sort what is to be sent into lanes: within one, each waits for the success of the one before.

    Args:
        queued: in the order of the outbox.
        ordered: by subject; otherwise nothing waits for anything.
    """
    if not ordered:
        return [[each] for each in queued]
    by_subject: dict[str, list[Q]] = {}
    for each in queued:
        by_subject.setdefault(each.subject, []).append(each)
    return [sorted(lane, key=lambda each: each.subject_seq) for lane in by_subject.values()]
