"""Messages of the batch that issues creators' statements, of the month before `now`."""

from contracts.common.batch import HandledPage, PageProgress


class MadeStatements(HandledPage):
    """A page of organizations: how many got statements, and how many failed."""

    made: int = 0
    failed: int = 0


class CreatorStatements(PageProgress):
    made: int = 0
    failed: int = 0
