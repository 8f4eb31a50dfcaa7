"""Agents by the month: periods that follow each other, and how often the next one is tried to be paid."""

from datetime import datetime, timedelta

from domain.subscription.period import Anchor, Period

#: The next period is paid so long before it begins, so that access does not pause.
LEAD = timedelta(days=1)
#: How long after an attempt that was not paid the next one follows, and how many there are.
AGAIN = timedelta(days=1)
MOST_TRIES = 4


def period_of(anchor_at: datetime, number: int) -> Period:
    """Return the n-th month from a moment on, counted from 1; each starts where the one before ends."""
    anchor = Anchor(at=anchor_at)
    return Period(start=anchor.after(number - 1), end=anchor.after(number))


def is_missed(anchor_at: datetime, number: int, now: datetime) -> bool:
    """Return whether it is too late to try to pay for the month after the n-th."""
    return period_of(anchor_at, number).end + MOST_TRIES * AGAIN <= now


def is_past(anchor_at: datetime, number: int, now: datetime) -> bool:
    """Return whether the month after the n-th is over as well: it was not used, so it is no longer paid for."""
    return period_of(anchor_at, number + 1).end <= now


def is_over(ends_at: datetime | None, now: datetime) -> bool:
    """Return whether the period that was paid is over; what was bought for good never is."""
    return ends_at is not None and ends_at <= now
