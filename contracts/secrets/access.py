"""Messages of the batch that seals the log of access to secrets."""

from datetime import datetime
from typing import Annotated, Self

from contracts.common.batch import CountProgress, ItemCount
from domain.privacy.data_map import IDENTIFIER


class SealedEntries(ItemCount):
    """How many entries were sealed, and the last seal there is; `hash` is hexadecimal."""

    number: int
    hash: Annotated[str, IDENTIFIER]


class AccessSeals(CountProgress):
    """Progress of the batch, and its result: the last seal, which so stands outside of the database too."""

    now: datetime
    number: int = 0
    hash: Annotated[str, IDENTIFIER] = ""

    def plus(self, done: ItemCount) -> Self:
        """Return the progress after a page."""
        assert isinstance(done, SealedEntries)
        return super().plus(done).model_copy(update={"number": done.number, "hash": done.hash})
