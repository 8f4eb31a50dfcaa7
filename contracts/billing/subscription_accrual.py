"""Messages of the batch that recognises subscription revenue."""

from datetime import date

from contracts.common.base import Message
from contracts.common.batch import CountProgress, ItemCount


class AccrueSubscriptions(Message):
    """Books the revenue of up to `limit` bills for the oldest day that is not booked, through a day."""

    through: date
    limit: int


class SubscriptionAccrual(CountProgress):
    """Progress of the batch: the last day to book, the page size, and the number of bills booked so far."""

    through: date

    def is_last(self, done: ItemCount) -> bool:
        """Return whether no page follows: a page is of one day, and after it comes the next day."""
        return not done.count
