"""Messages of the batch that asks a register again for VAT numbers that it has not confirmed."""

from datetime import datetime

from contracts.base import Message


class ConfirmVatNumbers(Message):
    """Asks at `now` for the numbers of the `limit` organizations after one."""

    now: datetime
    after: str
    limit: int


class ConfirmedVatNumbers(Message):
    """How many numbers were asked for and are confirmed now, or not in force; and the last organization."""

    asked: int
    confirmed: int
    refused: int
    last: str
    done: bool


class VatConfirmations(Message):
    """Where the batch stands: the last organization, and what became of those before it."""

    now: datetime
    limit: int
    after: str = ""
    asked: int = 0
    confirmed: int = 0
    refused: int = 0

    def plus(self, page: ConfirmedVatNumbers) -> "VatConfirmations":
        """Return where it stands after a page."""
        return self.model_copy(
            update={
                "after": page.last,
                "asked": self.asked + page.asked,
                "confirmed": self.confirmed + page.confirmed,
                "refused": self.refused + page.refused,
            }
        )

    def is_last(self, page: ConfirmedVatNumbers) -> bool:
        """Tell whether no page follows."""
        return page.done
