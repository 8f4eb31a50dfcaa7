"""Messages of the sweep that expires unaccepted contracts."""

from contracts.common.base import Message


class ExpireContracts(Message):
    """Expires a batch of contracts whose time limit for acceptance has passed."""

    limit: int


class ExpiredContracts(Message):
    count: int
