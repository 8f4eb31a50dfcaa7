"""Messages of the reader of the outbox for the search index."""

from contracts.common.base import Message


class IndexEvents(Message):
    seconds: int


class IndexedEvents(Message):
    """Result: number of events read, of new and refused documents, of dropped months, and of waits."""

    read: int = 0
    created: int = 0
    refused: int = 0
    dropped: int = 0
    waits: int = 0
    problem: str = ""
