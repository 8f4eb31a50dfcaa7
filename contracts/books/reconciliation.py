"""Messages of reconciliation. They only grow: a new field has a default, a field is never renamed or removed."""

from datetime import datetime

from contracts.common.base import Message


class ReconciliationInput(Message):
    """Starts one run: a provider, and the window `[since, until)`."""

    run_id: str
    provider: str
    since: datetime
    until: datetime
    requested_by: str
    command_id: str


class BeginReconciliation(Message):
    start: ReconciliationInput
    at: datetime


class UnreadPart(Message):
    """A part of a statement that could not be read: a payment's deposit address, a shared address, or a chain.

    With `has_gap`, balance transactions of the window may be missing that no later window lists.
    """

    subject: str
    why: str
    has_gap: bool = False


class ReconciliationStep(Message):
    """A step of a run; `at` is business time, and `unread` are the statement's unread parts."""

    run_id: str
    at: datetime
    unread: tuple[UnreadPart, ...] = ()


class FailReconciliation(Message):
    """Records why a run failed; with `start`, also for a run that ended before its first step."""

    run_id: str
    why: str
    at: datetime
    start: ReconciliationInput | None = None


class FetchedStatement(Message):
    """The number of balance transactions listed; `refused` is the provider's refusal, `unread` are unread parts."""

    movements: int
    refused: str | None = None
    unread: tuple[UnreadPart, ...] = ()


class UnsettledMovements(Message):
    """Numbers of balance transactions that payments may still book, and of payments signalled to refresh."""

    movements: int
    payments: int = 0


class ReconciliationResult(Message):
    """The result of a run: `done` or `failed`, the number of keys compared, and of open discrepancies."""

    run_id: str
    status: str
    compared: int
    differences: int


class PlanReconciliations(Message):
    now: datetime


class PlannedReconciliations(Message):
    """One run for each provider, and the day before which their windows end."""

    runs: tuple[ReconciliationInput, ...]
    day: str


class NightlyReconciliationResult(Message):
    runs: tuple[ReconciliationResult, ...]
