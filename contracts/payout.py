"""Messages of payouts. They only grow: a new field has a default, a field is never renamed or removed."""

from datetime import datetime

from pydantic import Field

from contracts.base import Message
from contracts.escrow import Declined, OperatorSignal
from domain.access import Actor
from domain.errors import Invalid
from domain.payment.snapshot import BalanceTransaction
from domain.payout.state import Payout

#: The longest reason that is kept.
MAX_REASON = 500


class PayoutInput(Message):
    """Starts or continues the run of a payout, which goes on from what the books hold."""

    payout_id: str
    resume: bool = True
    signals: int = 0


class GiveUpPayout(Message):
    """Says that a payout was not sent and will not be; its money goes back to the earnings."""

    command_id: str
    actor: Actor
    reason: str = ""

    def check(self) -> None:
        """Refuse a value that no caller of the API can send."""
        if len(self.reason) > MAX_REASON:
            raise Invalid(f"The reason must not be longer than {MAX_REASON} characters.", extra={"field": "reason"})


class PayoutResult(Message):
    """Where a payout stands."""

    payout_id: str
    status: str
    version: int


class PayoutSignal(OperatorSignal):
    """Has a payout tried or looked for now, `{"look": "po_…"}`, or given up: `{"give_up": "po_…", "reason": "…"}`."""

    look: object = None
    give_up: object = None
    reason: object = ""


class FundsAvailable(Message):
    """Says that the platform's balance at the provider has grown.

    `place` is how many older payouts were woken by the same event.
    """

    event_id: str = Field(max_length=255)
    place: int = 0


class RecordPayout(Message):
    """One event to be written: the state after it, and the hash of the state that it was decided from.

    `movement` is what sending it did to the provider's balance.
    """

    payout: Payout
    event: str
    command_id: str
    actor: str
    actor_detail: Actor | None = None
    details: dict[str, object] = Field(default_factory=dict)
    at: datetime
    decided_from: str | None = None
    movement: BalanceTransaction | None = None


class RecordedPayout(Message):
    """Whether this very event is in the books; otherwise `stored` is what they hold instead."""

    applied: bool
    stored: Payout | None = None
    declined: Declined | None = None


class LoadPayout(Message):
    """Asks for the state that the books hold."""

    payout_id: str


class SendPayout(Message):
    """Has a payout sent, or looked for at its provider."""

    payout: Payout


class SentPayout(Message):
    """What the provider answered: that it has it, that it has not, or why it was not sent.

    `missing` is the answer of a look alone. `unknown`: it may have been sent; with `refused`, something else was.
    `short`: the platform has not so much there.
    """

    missing: bool = False
    unknown: bool = False
    short: bool = False
    refused: str | None = None
    detail: str | None = None
    transfer_ref: str | None = None
    movement: BalanceTransaction | None = None


class PayoutSweepResult(Message):
    """How many payouts should have moved, and how many of them had no run and got one."""

    waiting: int
    started: int


class ScheduledPayouts(Message):
    """How many organizations of a page were due, how many were paid out, and the last of them."""

    found: int
    paid: int
    last: str


class PayScheduled(Message):
    """Pays out organizations that are due at `now`, so many at a time, after an id; what was done so far."""

    now: datetime
    limit: int
    after: str = ""
    found: int = 0
    paid: int = 0

    def plus(self, done: ScheduledPayouts) -> "PayScheduled":
        """Return where the batch stands after a page."""
        counted = {"found": self.found + done.found, "paid": self.paid + done.paid}
        return self.model_copy(update={"after": done.last, **counted})

    def is_last(self, done: ScheduledPayouts) -> bool:
        """Tell whether no page follows: one that is not full is the last."""
        return done.found < self.limit


class ScheduledPayoutsResult(Message):
    """How many organizations were due, and how many of them were paid out."""

    found: int
    paid: int
