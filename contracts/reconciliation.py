"""Messages of reconciliation. They only grow: a new field has a default, a field is never renamed or removed."""

from datetime import datetime

from contracts.base import Message


class ReconciliationInput(Message):
    """Starts one run: a provider, and what happened there in `[since, until)`."""

    run_id: str
    provider: str
    since: datetime
    until: datetime
    requested_by: str
    command_id: str


class BeginReconciliation(Message):
    """Asks to write that the run begins."""

    start: ReconciliationInput
    at: datetime


class UnreadPart(Message):
    """A part of a statement that could not be read: a payment's place, an address that payments share, or a chain.

    `has_gap` says that movements of the window may be missing that no later window lists.
    """

    subject: str
    why: str
    has_gap: bool = False


class ReconciliationStep(Message):
    """Asks for one step of a run; `at` is business time, and `unread` what the run's statement is without."""

    run_id: str
    at: datetime
    unread: tuple[UnreadPart, ...] = ()


class FailReconciliation(Message):
    """Says why a run cannot be done; with `start`, a run that was ended before its first step is written too."""

    run_id: str
    why: str
    at: datetime
    start: ReconciliationInput | None = None


class FetchedStatement(Message):
    """How many movements the provider listed; `refused` says why it lists none, `unread` what it could not read."""

    movements: int
    refused: str | None = None
    unread: tuple[UnreadPart, ...] = ()


class UnsettledMovements(Message):
    """How many movements a payment of ours may still book, and how many payments were asked to refresh."""

    movements: int
    payments: int = 0


class ReconciliationResult(Message):
    """How a run ended: `done` or `failed`, how many keys it compared, and how many differences are open."""

    run_id: str
    status: str
    compared: int
    differences: int


class PlanReconciliations(Message):
    """Asks what has to be compared tonight."""

    now: datetime


class PlannedReconciliations(Message):
    """One run for each provider; `name` of a run is the day that its window ends before."""

    runs: tuple[ReconciliationInput, ...]
    day: str


class NightlyReconciliationResult(Message):
    """How the runs of a night ended."""

    runs: tuple[ReconciliationResult, ...]
