"""The agenda of a payout: the next step of its run. Pure."""

from datetime import datetime
from enum import StrEnum

from domain.common.agenda import Wait
from domain.payouts.payout.state import FINAL, Payout, PayoutStatus


class AgendaStep(StrEnum):
    """Automatic step of a payout's run."""

    SEND = "send"  # not sent, as far as this run knows; a resumed run looks it up first
    LOOK_UP = "look"  # it may have been sent


WAIT_REASONS = {
    PayoutStatus.REQUESTED: "retry: a case of suspected fraud holds the earnings",
    PayoutStatus.WAITING_FOR_FUNDS: "retry: the platform's balance at the provider is short",
    PayoutStatus.UNKNOWN: "look up: it may have been sent",
}


def agenda(payout: Payout, now: datetime) -> AgendaStep | Wait | None:
    """Return the next step, or the wait until it is due; None once the payout has ended."""
    if payout.status in FINAL:
        return None
    if payout.next_at is not None and now < payout.next_at:
        return Wait(until=payout.next_at, why=WAIT_REASONS.get(payout.status, "look again"))
    return AgendaStep.LOOK_UP if payout.status is PayoutStatus.UNKNOWN else AgendaStep.SEND
