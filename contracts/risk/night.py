"""Messages of the nightly detectors and of the sweep for card testing and takeovers."""

from datetime import datetime

from contracts.common.base import Message

#: The detectors of a night in their order.
DETECTORS = ("clusters", "rings", "deliveries", "refunds", "scores")


class DetectFraud(Message):
    """Runs the detector of a kind over the 90 days before `now`."""

    kind: str
    now: datetime


class DetectFraudResult(Message):
    """The numbers of rows read, of findings, and of cases opened for them."""

    read: int
    found: int
    opened: int


class RiskNight(Message):
    """Progress of a night: the next detector, and the counts so far. `now` is its key: None for the present time."""

    now: datetime | None = None
    step: int = 0
    read: int = 0
    found: int = 0
    opened: int = 0

    @property
    def detector(self) -> str:
        """The next detector."""
        return DETECTORS[self.step]

    def plus(self, done: DetectFraudResult) -> "RiskNight":
        """Return the progress after a detector."""
        counts = {"read": self.read + done.read, "found": self.found + done.found, "opened": self.opened + done.opened}
        return self.model_copy(update={**counts, "step": self.step + 1})

    def is_last(self, done: DetectFraudResult) -> bool:  # noqa: ARG002
        """Return whether this was the last detector."""
        return self.step == len(DETECTORS) - 1
