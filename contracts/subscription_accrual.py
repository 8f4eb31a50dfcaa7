"""Messages of the batch that makes revenue of what was paid for subscriptions."""

from datetime import date

from contracts.base import Message
from contracts.batch import Counted, Counting


class AccrueSubscriptions(Message):
    """Books what up to `limit` bills have earned on the oldest day that is not booked, through a day."""

    through: date
    limit: int


class AccruedSubscriptions(Counted):
    """How many bills were booked for their day."""


class SubscriptionAccrual(Counting):
    """Where the batch stands: the last day that is booked, so many bills at a time, and how many were so far."""

    through: date

    def is_last(self, done: Counted) -> bool:
        """Tell whether no page follows: a page is of one day, and after it comes the next day."""
        return not done.count
