"""Monthly purchases of agents: consecutive periods, and the tries to pay for the next one."""

from datetime import datetime, timedelta

from domain.common.period import Anchor, Period

#: How long before it begins the next period is paid, so that access is not interrupted.
LEAD = timedelta(days=1)
#: The time between tries, and the maximum number of tries.
RETRY_INTERVAL = timedelta(days=1)
MAX_TRIES = 4


def period_of(anchor_at: datetime, number: int) -> Period:
    """Return the n-th month after a time, counted from 1; each starts where the previous one ends."""
    anchor = Anchor(at=anchor_at)
    return Period(start=anchor.after(number - 1), end=anchor.after(number))


def is_missed(anchor_at: datetime, number: int, now: datetime) -> bool:
    """Return whether it is too late to try to pay for the month after the n-th."""
    return period_of(anchor_at, number).end + MAX_TRIES * RETRY_INTERVAL <= now


def is_past(anchor_at: datetime, number: int, now: datetime) -> bool:
    """Return whether the month after the n-th is over as well: it was not used, so it is no longer paid for."""
    return period_of(anchor_at, number + 1).end <= now


def is_over(ends_at: datetime | None, now: datetime) -> bool:
    """Return whether the paid period is over; a permanent purchase has none."""
    return ends_at is not None and ends_at <= now
