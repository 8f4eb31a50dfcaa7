"""Messages of the reader of events that counts what follows from acts."""

from contracts.common.base import Message


class FoldOutcomes(Message):
    """Reads events for `seconds`; 0 reads once."""

    seconds: int


class FoldedOutcomes(Message):
    """Number of events that were read."""

    events: int = 0
