"""Messages of the job that reads a central bank's daily file."""

from datetime import date, datetime

from contracts.common.base import Message


class NoteReferenceRates(Message):
    """Reads the file, and stores its rates from `now` on."""

    now: datetime


class NotedReferenceRates(Message):
    """The file's day and how many rates of it apply, none if it is too old; no day without a source."""

    day: date | None
    count: int
