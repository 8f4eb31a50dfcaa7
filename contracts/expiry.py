"""Messages of the sweep that notes which contracts nobody accepted in time."""

from contracts.base import Message


class ExpireContracts(Message):
    """Asks for a batch of the contracts whose time to be accepted is over."""

    limit: int


class ExpiredContracts(Message):
    """How many contracts were noted."""

    count: int
