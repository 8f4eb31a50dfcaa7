"""Billing periods and shares of them: pure arithmetic over Unix seconds, in UTC.

Facts from docs.stripe.com/billing/subscriptions/billing-cycle and docs.stripe.com/billing/subscriptions/prorations. A
period ends at a boundary: the anchor moved by whole intervals. A month that lacks the anchor's day ends on its own last
day, and the anchor's day is kept: 31 January, 28 February, 31 March.
"""

from calendar import monthrange
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

JSON = dict[str, Any]

DAY = 86_400
_SECONDS = {"day": DAY, "week": 7 * DAY}
_MONTHS = {"month": 1, "year": 12}


def boundary(anchor: int, recurring: JSON, index: int) -> int:
    """Return the anchor moved by `index` intervals of a price, back when it is negative."""
    interval: str = recurring["interval"]
    steps: int = recurring["interval_count"] * index
    if interval in _SECONDS:
        return anchor + _SECONDS[interval] * steps
    start = datetime.fromtimestamp(anchor, UTC)
    year, month = divmod(start.year * 12 + start.month - 1 + _MONTHS[interval] * steps, 12)
    day = min(start.day, monthrange(year, month + 1)[1])
    return int(start.replace(year=year, month=month + 1, day=day).timestamp())


def around(anchor: int, recurring: JSON, at: int) -> tuple[int, int]:
    """Return the period of this anchor that a moment lies in: the boundary at or before it, and the next one."""
    interval, count = recurring["interval"], recurring["interval_count"]
    if interval in _SECONDS:
        index = (at - anchor) // (_SECONDS[interval] * count)
    else:
        start, moment = datetime.fromtimestamp(anchor, UTC), datetime.fromtimestamp(at, UTC)
        months = (moment.year - start.year) * 12 + moment.month - start.month
        index = months // (_MONTHS[interval] * count)
        # In the month of a boundary, the moment may come before it.
        if boundary(anchor, recurring, index) > at:
            index -= 1
    return boundary(anchor, recurring, index), boundary(anchor, recurring, index + 1)


def named(recurring: JSON) -> str:
    """Return an interval for people: `/ month`, or `every 3 months`."""
    interval, count = recurring["interval"], recurring["interval_count"]
    return f"/ {interval}" if count == 1 else f"every {count} {interval}s"


def rounded(value: Fraction) -> int:
    """Return an amount in whole minor units, half of one rounded up; a credit mirrors the charge of the same size."""
    size = (2 * abs(value) + 1) // 2
    return size if value >= 0 else -size


def priced(price: JSON, quantity: int, share: Fraction = Fraction(1)) -> int:
    """Return what a quantity of a price costs for a share of its period, in minor units, rounded once."""
    transform = price["transform_quantity"]
    if transform is not None:
        up = transform["round"] == "up"
        quantity = -(-quantity // transform["divide_by"]) if up else quantity // transform["divide_by"]
    return rounded(Fraction(Decimal(price["unit_amount_decimal"])) * quantity * share)
