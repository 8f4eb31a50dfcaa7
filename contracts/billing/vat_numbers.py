"""Messages of the batch that confirms VAT numbers at a register again."""

from datetime import datetime

from contracts.common.base import Message


class ConfirmVatNumbers(Message):
    """Checks at `now` the numbers of the `limit` organizations after one."""

    now: datetime
    after: str
    limit: int


class ConfirmedVatNumbers(Message):
    """How many numbers were checked, are confirmed, and are invalid; and the last organization."""

    asked: int
    confirmed: int
    refused: int
    last: str
    done: bool


class VatConfirmations(Message):
    """Progress of the batch: the last organization, and the outcomes so far."""

    now: datetime
    limit: int
    after: str = ""
    asked: int = 0
    confirmed: int = 0
    refused: int = 0

    def plus(self, page: ConfirmedVatNumbers) -> "VatConfirmations":
        """Return the progress after a page."""
        return self.model_copy(
            update={
                "after": page.last,
                "asked": self.asked + page.asked,
                "confirmed": self.confirmed + page.confirmed,
                "refused": self.refused + page.refused,
            }
        )

    def is_last(self, page: ConfirmedVatNumbers) -> bool:
        """Whether this was the last page."""
        return page.done
