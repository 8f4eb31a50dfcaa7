"""Messages of batches: those that only count their items, and those that go through them by their ids."""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar, Self

from contracts.common.base import Message


class ItemCount(Message):
    count: int


class CountProgress(Message):
    """Progress of a batch: the page size, and the number of items done so far."""

    limit: int
    count: int = 0

    def plus(self, done: ItemCount) -> Self:
        """Return the progress after a page."""
        return self.model_copy(update={"count": self.count + done.count})

    def is_last(self, done: ItemCount) -> bool:
        """Whether this was the last page: one that is not full."""
        return done.count < self.limit


class BatchStep(Message):
    """Does what is due at `now`, all of it in one transaction."""

    now: datetime


class BatchPage(Message):
    """Handles up to `limit` items that were due at `now`.

    A batch that follows the books takes what was posted at least `settle_seconds` ago.
    """

    now: datetime
    limit: int
    settle_seconds: int = 60


class BatchResult(ItemCount):
    """The number of items that were handled, of a page or a step."""


class BatchProgress(CountProgress):
    """Progress of a batch, and its result: what its pages are of, their size, and the number of items done so far."""

    now: datetime
    settle_seconds: int = 60

    @property
    def page(self) -> BatchPage:
        return BatchPage(now=self.now, limit=self.limit, settle_seconds=self.settle_seconds)


class DuePage(Message):
    """Handles up to `limit` items of which something is due at `now`, after an id, which is empty at first."""

    now: datetime
    limit: int
    after: str = ""


class HandledPage(Message):
    """The number of items found for a page, and the last one."""

    found: int
    last: str = ""


class HandledStepPage(HandledPage):
    done: int


class _Due(Message):
    now: datetime
    limit: int
    after: str = ""

    @property
    def page(self) -> DuePage:
        return DuePage(now=self.now, limit=self.limit, after=self.after)


class PageProgress(_Due):
    """Progress of a batch: the page size, the last item, and the counts so far.

    Each count of a page is added to the field of its name.
    """

    found: int = 0

    def plus(self, page: HandledPage) -> Self:
        """Return the progress after a page."""
        counts = {name: getattr(self, name) + count for name, count in page if name != "last"}
        return self.model_copy(update={**counts, "after": page.last})

    def is_last(self, page: HandledPage) -> bool:
        """Whether this was the last page: one that is not full."""
        return page.found < self.limit


class StepProgress(_Due):
    """Progress of a batch in steps, one after the other; `counters` are the steps, and the field that each counts in.

    `after` is the last item of the present step.
    """

    counters: ClassVar[Mapping[str, str]]

    step: str

    def plus(self, page: HandledStepPage) -> Self:
        """Return the progress after a page."""
        steps, counter = list(self.counters), self.counters[self.step]
        place = {"after": page.last}
        if page.found < self.limit and self.step != steps[-1]:
            place = {"step": steps[steps.index(self.step) + 1], "after": ""}
        return self.model_copy(update={counter: getattr(self, counter) + page.done, **place})

    def is_last(self, page: HandledStepPage) -> bool:
        """Whether this was the last page: one of the last step that is not full."""
        return self.step == list(self.counters)[-1] and page.found < self.limit
