"""The agenda of an invoice's collection: what is due next."""

from datetime import datetime, timedelta
from enum import StrEnum

from domain.billing.invoice.collection import (
    FINAL,
    REOPENED,
    UNDER_WAY,
    Collection,
    CollectionStatus,
    InvoiceDue,
    Pause,
)
from domain.common.agenda import Wait

#: After how long an invoice that waits for an operator is checked again.
CHECK_INTERVAL = timedelta(days=1)


class Step(StrEnum):
    """What is due.

    Attributes:
        FOLLOW: request the pending payment, or ask for its outcome.
        END: the invoice has ended.
        PAUSE: money was refunded or charged back; nothing is charged or dunned until an operator decides.
        RESUME: an operator has resumed the collection.
        ANNOUNCE: mail that it was issued.
        CHARGE: charge the stored method.
        PUT_OFF: postpone a reminder, or giving up, while a payment of the organization's own is processing.
        REMIND: send a reminder.
        GIVE_UP: mark it as uncollectible.
    """

    FOLLOW = "follow"
    END = "end"
    PAUSE = "pause"
    RESUME = "resume"
    ANNOUNCE = "announce"
    CHARGE = "charge"
    PUT_OFF = "put_off"
    REMIND = "remind"
    GIVE_UP = "give_up"


def agenda(
    held: Collection,
    standing: InvoiceDue,
    now: datetime,
    *,
    follow_at: datetime | None = None,
    processing: bool = False,
) -> Step | Wait | None:
    """Return what is done next, or until when nothing is due; None after the end.

    A payment that is under way comes first, whatever the state of the invoice, so there is never a second one.
    `follow_at` is when the run checks it again; None before the first check. `processing` says that a payment which the
    organization made itself is processing.
    """
    if held.status in UNDER_WAY:
        if follow_at is not None and now < follow_at:
            return Wait(until=follow_at, why=f"ask what became of the payment {held.payment_id}")
        return Step.FOLLOW
    if not standing.is_open:
        return None if held.status in FINAL and held.status.value == standing.status.value else Step.END
    if standing.paused_for is not None:
        if held.status is CollectionStatus.PAUSED and held.paused_for == Pause(standing.paused_for.value):
            return Wait(until=now + CHECK_INTERVAL, why=f"an operator decides after the {standing.paused_for.value}")
        return Step.PAUSE
    if held.status in FINAL or (held.status is CollectionStatus.PAUSED and held.paused_for in REOPENED):
        return Step.RESUME
    if held.status is CollectionStatus.PAUSED:
        return Wait(until=now + CHECK_INTERVAL, why="an operator decides: no charge was answered")
    if not held.announced:
        return Step.ANNOUNCE
    return _collect(held, now, processing=processing)


def _collect(held: Collection, now: datetime, *, processing: bool) -> Step | Wait:
    last = held.steps > len(held.days) or (held.steps == len(held.days) and not held.charges)
    step = Step.GIVE_UP if last and not held.charge_now else Step.CHARGE if held.charges else Step.REMIND
    why = (
        STEP_REASONS[step]
        if held.waits_for is None
        else f"see what became of {held.waits_for}, which the organization makes"
    )
    if now < held.next_at:
        return Wait(until=held.next_at, why=why)
    return Step.PUT_OFF if processing and step is not Step.CHARGE else step


#: What the run waits for; shown with its timer.
STEP_REASONS = {Step.CHARGE: "charge the stored method", Step.REMIND: "remind by mail", Step.GIVE_UP: "give it up"}
