"""Messages of the sweep that expires contracts that were not accepted in time."""

from contracts.common.base import Message


class ExpireContracts(Message):
    """Expires a batch of contracts whose time to be accepted has passed."""

    limit: int


class ExpiredContracts(Message):
    count: int
