"""Messages of the batch that seals the access log of secrets."""

from datetime import datetime
from typing import Annotated, Self

from contracts.common.batch import CountProgress, ItemCount
from domain.privacy.data_map import IDENTIFIER


class SealedEntries(ItemCount):
    """Number of sealed entries, and the last seal; `hash` is hexadecimal."""

    number: int
    hash: Annotated[str, IDENTIFIER]


class AccessSeals(CountProgress):
    """Progress and result of the batch, with the last seal, so that it is stored outside of the database, too."""

    now: datetime
    number: int = 0
    hash: Annotated[str, IDENTIFIER] = ""

    def plus(self, done: ItemCount) -> Self:
        """Return the progress after a page."""
        assert isinstance(done, SealedEntries)
        return super().plus(done).model_copy(update={"number": done.number, "hash": done.hash})
