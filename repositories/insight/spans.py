"""Division of intervals into whole days (UTC), which have stored sums, and the rest at their edges."""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import NamedTuple

_DAY = timedelta(days=1)


class Span(NamedTuple):
    """Part of an interval in UTC; `until` is exclusive."""

    place: int
    since: datetime
    until: datetime


def spans(bounds: Sequence[datetime]) -> tuple[list[Span], list[Span]]:
    """Return the whole days of each interval as one span, and the times before and after them."""
    days, edges = list[Span](), list[Span]()
    for place, (begins, ends) in enumerate(pairwise(bound.astimezone(UTC) for bound in bounds)):
        first, last = _midnight(begins + _DAY - timedelta.resolution), _midnight(ends)
        if first >= last:
            edges.append(Span(place, begins, ends))
            continue
        days.append(Span(place, first, last))
        edges += [span for span in (Span(place, begins, first), Span(place, last, ends)) if span.since < span.until]
    return days, edges


def _midnight(moment: datetime) -> datetime:
    return datetime.combine(moment.date(), time(), UTC)
