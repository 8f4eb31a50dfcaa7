"""The payout's state. Frozen values of the standard library only; the workflow is the only writer."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

#: Number of commands that a payout remembers, so that a repeated one is answered and not executed again.
RECEIPT_WINDOW = 64
#: The actor of automatic events.
WORKFLOW = "workflow"


class PayoutStatus(StrEnum):
    """Status of a payout. `paid`: sent to the creator's account; `failed`: not sent, and returned to the earnings.

    `requested`: taken from the earnings, to be sent. `waiting_for_funds`: the platform's balance at the provider is too
    small. `unknown`: the provider may have sent it, and Bursar looks it up there.
    """

    REQUESTED = "requested"  # taken from the earnings, to be sent
    WAITING_FOR_FUNDS = "waiting_for_funds"  # the platform's balance at the provider is too low
    UNKNOWN = "unknown"  # it may have been sent, and is looked up
    PAID = "paid"  # sent to the creator's account
    FAILED = "failed"  # not sent, and back in the earnings


S = PayoutStatus
#: Nothing is awaited any more.
FINAL = frozenset({S.PAID, S.FAILED})


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutLine:
    """Amount that a payout takes from the earnings of one agent, in their asset and in money."""

    agent_id: str
    asset: str
    amount_minor: int
    money_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Payout:
    """State of a payout.

    `version` is the number of its latest event; `receipts` are the commands that were executed.

    Attributes:
        amount_minor: the amount to be paid, in minor units of `currency`; before the first event, the requested one.
        destination: a fingerprint of the bank account at the time of the request.
        lines: the amounts by agent; empty before the first event.
        transfer_ref: the provider's id of the transfer.
        tries: the number of attempts or look-ups since the status last changed.
        attempt: the number of the present attempt at the provider; each refusal for lack of funds starts a new one.
        next_at: when it is attempted or looked up next.
        gives_up_at: the time until which it waits for funds.
        unanswered_at: when the provider last failed to answer; None once the outcome is known.
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
        """Return whether a command was executed before."""
        return command_id in self.receipts


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Result of a command or a provider's response: the next state and its event."""

    payout: Payout
    event: str
    actor: str
    details: dict[str, object] = field(default_factory=dict)
