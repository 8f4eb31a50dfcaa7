"""Messages of payouts. They only grow: a new field has a default, a field is never renamed or removed."""

from datetime import datetime

from pydantic import Field

from contracts.common.base import Message
from contracts.common.batch import HandledPage, PageProgress
from contracts.escrow.escrow import Declined, OperatorSignal
from domain.common.access import Actor
from domain.common.errors import Invalid
from domain.payments.payment.snapshot import BalanceTransaction
from domain.payouts.payout.state import Outcome, Payout

#: The maximum length of a reason.
MAX_REASON = 500


class PayoutInput(Message):
    """Starts or continues the run of a payout from the books."""

    payout_id: str
    resume: bool = True
    signals: int = 0


class GiveUpPayout(Message):
    """Records that a payout was not sent and will not be; its amount returns to the earnings."""

    command_id: str
    actor: Actor
    reason: str = ""

    def check(self) -> None:
        """Refuse values that the API cannot send."""
        if len(self.reason) > MAX_REASON:
            raise Invalid(f"The reason must not be longer than {MAX_REASON} characters.", extra={"field": "reason"})


class PayoutResult(Message):
    payout_id: str
    status: str
    version: int


class PayoutSignal(OperatorSignal):
    """Retries or looks up a payout now, `{"look": "po_…"}`, or gives it up: `{"give_up": "po_…", "reason": "…"}`."""

    look: object = None
    give_up: object = None
    reason: object = ""


class FundsAvailable(Message):
    """Reports that the platform's balance at the provider has grown.

    `place` is the number of older payouts that the same event wakes.
    """

    event_id: str = Field(max_length=255)
    place: int = 0


class RecordPayout(Message):
    """An event to write, and the hash of the state that it was decided from.

    `movement` is the balance transaction of the transfer.
    """

    outcome: Outcome
    command_id: str
    actor: Actor | None = None
    at: datetime
    decided_from: str | None = None
    movement: BalanceTransaction | None = None


class RecordedPayout(Message):
    """Whether this event is in the books; otherwise `stored` is the state in the books."""

    applied: bool
    stored: Payout | None = None
    declined: Declined | None = None


class LoadPayout(Message):
    payout_id: str


class SendPayout(Message):
    payout: Payout


class SentPayout(Message):
    """The provider's response to a payout or its lookup.

    `missing`: a lookup has not found it. `unknown`: it may have been sent; with `refused`, another transfer was sent.
    `short`: the platform's balance there is too low. `held_until`: a case holds the earnings, at the latest until then.
    """

    missing: bool = False
    unknown: bool = False
    short: bool = False
    refused: str | None = None
    detail: str | None = None
    held_until: datetime | None = None
    transfer_ref: str | None = None
    movement: BalanceTransaction | None = None


class ScheduledPayouts(HandledPage):
    paid: int


class PayScheduled(PageProgress):
    paid: int = 0
