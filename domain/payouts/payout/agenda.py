"""What the run of a payout does by itself, in one place."""

from datetime import datetime
from enum import StrEnum

from domain.common.agenda import Wait
from domain.payouts.payout.state import FINAL, Payout, PayoutStatus


class AgendaStep(StrEnum):
    """What is due."""

    SEND = "send"  # nothing was sent by this run's knowledge; a run that resumed looks first
    LOOK_UP = "look"  # it may have been sent


WAIT_REASONS = {
    PayoutStatus.WAITING_FOR_FUNDS: "the platform's balance at the provider is short: try again",
    PayoutStatus.UNKNOWN: "it may have been sent: look for it again",
}


def agenda(payout: Payout, now: datetime) -> AgendaStep | Wait | None:
    """Return the next step, or the time until which nothing is due; None once the payout has ended."""
    if payout.status in FINAL:
        return None
    if payout.next_at is not None and now < payout.next_at:
        return Wait(until=payout.next_at, why=WAIT_REASONS.get(payout.status, "look again"))
    return AgendaStep.LOOK_UP if payout.status is PayoutStatus.UNKNOWN else AgendaStep.SEND
