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
RETRY_PAUSES = (
    timedelta(0),
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    *(timedelta(hours=hours) for hours in (2, 5, 10, 14, 20, 24)),
)
MAX_TRIES = len(RETRY_PAUSES)
#: A pause is longer by up to so many percent, so that what failed together is not sent again together.
JITTER = 20
#: The longest `Retry-After` that is honoured.
LONGEST_RETRY_AFTER = timedelta(days=1)
#: How long the whole endpoint is left alone after one answer, and after each further one, that says it is overloaded.
OVERLOAD_BACKOFF = tuple(timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 1800))
#: Without a success for so long while something waits, an endpoint is disabled.
DISABLED_AFTER = timedelta(days=5)
#: How long what a receiver answered is kept.
RESPONSE_KEPT_FOR = timedelta(days=30)

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


class ResponseClass(StrEnum):
    """What an answer means."""

    DELIVERED = "delivered"
    FAILED = "failed"
    OVERLOADED = "overloaded"  # as failed, and the endpoint is slowed
    GONE = "gone"  # as failed, and the endpoint is disabled


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverResponse:
    """The result of one request.

    Attributes:
        status_code: the status of the HTTP response; None if there was none.
        error: a code that says why there was no response, or why it does not count; otherwise None.
        body: the beginning of the response body.
        retry_after: the value of the Retry-After header, unparsed.
    """

    status_code: int | None = None
    error: str | None = None
    body: str = ""
    retry_after: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NextAttempt:
    """The state of a delivery after an attempt.

    Attributes:
        status: the new status.
        next_at: the time of the next attempt; None if there is none.
    """

    status: DeliveryStatus
    next_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingPace:
    """The rate limiting and failures of an endpoint.

    Attributes:
        slow_until: nothing is sent to it before this time.
        slowed: the number of overload responses since its last success.
        failing_since: the time of the first failure since its last success, or since its queue was last empty.
    """

    slow_until: datetime | None = None
    slowed: int = 0
    failing_since: datetime | None = None

    def width(self, most: int) -> int:
        """Return how many concurrent requests are sent to it: one from an overload response until the next success."""
        return 1 if self.slowed else most

    def has_failed_too_long(self, now: datetime) -> bool:
        """Return whether it has failed for so long that it is disabled."""
        return self.failing_since is not None and now - self.failing_since >= DISABLED_AFTER


def classify_response(answer: ReceiverResponse) -> ResponseClass:
    """Classify an answer: 2xx is a success, a redirect is not, and everything else is retried."""
    code = answer.status_code
    if code is None or answer.error is not None:
        return ResponseClass.FAILED
    if 200 <= code < 300:
        return ResponseClass.DELIVERED
    if code == _GONE:
        return ResponseClass.GONE
    return ResponseClass.OVERLOADED if code in _OVERLOADED else ResponseClass.FAILED


def retry_after(answer: ReceiverResponse, now: datetime) -> timedelta | None:
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


def next_attempt(answer: ReceiverResponse, *, tries: int, now: datetime, jitter: int) -> NextAttempt:
    """Return the state of a delivery after an attempt.

    Args:
        answer: the answer to the attempt.
        tries: the number of attempts, including this one.
        now: when the answer came.
        jitter: the percentage by which the pause is lengthened, drawn from 0 to `JITTER`.
    """
    if classify_response(answer) is ResponseClass.DELIVERED:
        return NextAttempt(status=DeliveryStatus.DELIVERED)
    if tries >= MAX_TRIES:
        return NextAttempt(status=DeliveryStatus.FAILED)
    pause = RETRY_PAUSES[tries] * (100 + jitter) / 100
    return NextAttempt(
        status=DeliveryStatus.PENDING, next_at=now + max(pause, retry_after(answer, now) or timedelta(0))
    )


def pace_after(pace: SendingPace, answer: ReceiverResponse, now: datetime) -> SendingPace:
    """Return the endpoint's rate limiting after an answer."""
    said = classify_response(answer)
    if said is ResponseClass.DELIVERED:
        # What was under way when another answer asked for a pause does not end it.
        is_slow = pace.slow_until is not None and pace.slow_until > now
        return SendingPace(slow_until=pace.slow_until if is_slow else None)
    since = pace.failing_since or now
    if said is not ResponseClass.OVERLOADED:
        return SendingPace(slow_until=pace.slow_until, slowed=pace.slowed, failing_since=since)
    return _slowed(replace(pace, failing_since=since), retry_after(answer, now), now)


def pace_after_silence(pace: SendingPace, now: datetime) -> SendingPace:
    """Return the rate limiting of an endpoint that answered no request at all: that of an overloaded one."""
    return _slowed(pace, None, now)


def _slowed(pace: SendingPace, asked: timedelta | None, now: datetime) -> SendingPace:
    pause = asked or OVERLOAD_BACKOFF[min(pace.slowed, len(OVERLOAD_BACKOFF) - 1)]
    until = now + pause if pace.slow_until is None else max(pace.slow_until, now + pause)
    return replace(pace, slow_until=until, slowed=pace.slowed + 1)


class QueuedDelivery(Protocol):
    """What waits for its turn."""

    @property
    def subject(self) -> str: ...

    @property
    def subject_seq(self) -> int: ...


Q = TypeVar("Q", bound=QueuedDelivery)


def lanes(queued: Iterable[Q], *, ordered: bool) -> Sequence[Sequence[Q]]:
    """Group deliveries into lanes; within a lane, each waits for the success of the one before.

    Args:
        queued: the deliveries, in the order of the outbox.
        ordered: whether deliveries about one subject share a lane; otherwise each has its own.
    """
    if not ordered:
        return [[each] for each in queued]
    by_subject: dict[str, list[Q]] = {}
    for each in queued:
        by_subject.setdefault(each.subject, []).append(each)
    return [sorted(lane, key=lambda each: each.subject_seq) for lane in by_subject.values()]
