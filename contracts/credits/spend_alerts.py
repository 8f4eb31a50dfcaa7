"""Messages of the sweep that raises alerts about spending."""

from datetime import datetime

from contracts.common.base import Message


class RaiseSpendAlerts(Message):
    """Raises the alerts that are due at a time."""

    now: datetime


class RaisedSpendAlerts(Message):
    """The number of alerts raised."""

    count: int
