"""Messages of the training of a model that scores acts."""

from datetime import datetime

from contracts.common.base import Message


class TrainModel(Message):
    """Trains on decisions of which the end is known at `now`."""

    run: str
    now: datetime


class TrainedModel(Message):
    """The trained model; no version if none was trained.

    Attributes:
        figures: a line for each contender, and for newcomers.
    """

    version: int | None = None
    status: str = ""
    reason: str = ""
    acts: int = 0
    frauds: int = 0
    figures: tuple[str, ...] = ()
