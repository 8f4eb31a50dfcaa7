"""Messages of the batch that adds up the outbox for metrics."""

from datetime import datetime

from contracts.common.base import Message
from contracts.common.batch import Counted, Counting


class AddUpEvents(Message):
    """Adds up to `limit` events to the sums of metrics, and notes who was active on days that are over."""

    limit: int
    now: datetime


class AddedUpEvents(Counted):
    """How many events were added."""


class MetricSums(Counting):
    """Progress of the batch: the page size, and the number of events added so far."""

    now: datetime
