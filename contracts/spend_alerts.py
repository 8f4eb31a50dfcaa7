"""Messages of the sweep that raises alerts about what is spent."""

from datetime import datetime

from contracts.base import Message


class RaiseSpendAlerts(Message):
    """Asks for the alerts that are due at a time."""

    now: datetime


class RaisedSpendAlerts(Message):
    """How many alerts were raised."""

    count: int
