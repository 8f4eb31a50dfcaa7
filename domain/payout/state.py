"""The payout's state. Frozen values of the standard library only; the workflow is the only writer."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

#: How many commands a payout remembers, so that a repeated one is answered and not done twice.
RECEIPT_WINDOW = 64
#: Who acts when nobody commands.
WORKFLOW = "workflow"


class PayoutStatus(StrEnum):
    """The status of a payout. `paid`: sent to the bank account; `failed`: not sent, and back in the earnings.

    `requested`: taken out of the earnings, to be sent. `waiting_for_funds`: the platform's balance at the provider is
    too small. `unknown`: the provider may have sent it, and Bursar looks for it there.
    """

    REQUESTED = "requested"  # taken out of the earnings, to be sent
    WAITING_FOR_FUNDS = "waiting_for_funds"  # the platform has not so much at its provider
    UNKNOWN = "unknown"  # it may have been sent, and is looked for
    PAID = "paid"  # sent to the creator's account
    FAILED = "failed"  # not sent, and back in the earnings


S = PayoutStatus
#: Nothing is awaited any more.
FINAL = frozenset({S.PAID, S.FAILED})


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutLine:
    """What a payout takes from the earnings of one agent: of the asset, and what leaves for it in money."""

    agent_id: str
    asset: str
    amount_minor: int
    money_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Payout:
    """The whole state. `version` is the number of its latest event, `receipts` are the commands that were done.

    Attributes:
        amount_minor: what leaves, in minor units of `currency`; what was asked for before the first event.
        destination: a fingerprint of where the money goes in the end, as it was when the payout was asked for.
        lines: where it comes from; none before the first event.
        transfer_ref: the provider's id of what was sent.
        tries: how often it was tried or looked for since the status last changed.
        attempt: which try at the provider is under way: a refusal for lack of funds is requested again.
        next_at: when it is tried or looked for again.
        gives_up_at: until when funds are waited for.
        unanswered_at: when the provider was last asked and gave no answer; None once it has said what became of it.
    """

    payout_id: str
    org_id: str
    provider: str
    account_ref: str
    destination: str | None
    currency: str
    amount_minor: int
    status: PayoutStatus = S.REQUESTED
    version: int = 0
    lines: tuple[PayoutLine, ...] = ()
    transfer_ref: str | None = None
    failure_code: str | None = None
    failure: str | None = None
    tries: int = 0
    attempt: int = 1
    next_at: datetime | None = None
    gives_up_at: datetime | None = None
    unanswered_at: datetime | None = None
    receipts: tuple[str, ...] = ()

    def has_done(self, command_id: str) -> bool:
        """Return whether a command was done."""
        return command_id in self.receipts


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a command or an answer does: the next state, and the event that says so."""

    payout: Payout
    event: str
    actor: str
    details: dict[str, object] = field(default_factory=dict)
