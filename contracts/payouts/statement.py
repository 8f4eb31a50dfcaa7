"""Messages of the batch that issues creators' statements of the month before `now`."""

from contracts.common.batch import HandledPage, PageProgress


class MadeStatements(HandledPage):
    """Result for a page of organizations: numbers of successes and failures."""

    made: int = 0
    failed: int = 0


class CreatorStatements(PageProgress):
    made: int = 0
    failed: int = 0
