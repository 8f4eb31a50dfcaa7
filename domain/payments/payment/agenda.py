"""The agenda of a payment: the next step of its workflow. The only place that orders due steps; pure.

Steps are taken in the order of `AgendaStep`. A step without effect is held back for a growing time, and a step that was
taken comes after those that were not, so the first due steps cannot block the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from domain.common.agenda import Wait
from domain.payments.payment import commands
from domain.payments.payment.fulfilment import fulfilment_due, is_awaited, is_underpaid, must_freeze_escrow
from domain.payments.payment.state import IN_FLIGHT, Fulfilment, Payment, PaymentStatus, RefundState

#: The first and the longest pause between lookups of unknown outcomes, and between tries of steps without effect.
FIRST_LOOKUP, LONGEST_LOOKUP = timedelta(seconds=2), timedelta(minutes=10)
#: The provider can still cancel these: nothing was paid.
AWAITING_PAYER = frozenset({PaymentStatus.REQUIRES_ACTION, PaymentStatus.REQUIRES_CAPTURE})
#: Why a run waits; shown with its timer.
LOOK_UP, POLL, PAYER_DEADLINE = "look up what is unknown", "ask the provider", "the payer's time is over"
TRY_AGAIN, OPEN_FOR_COMMANDS = "try again", "stays open for commands"


class AgendaStep(StrEnum):
    """What a run can do by itself, in the order of precedence.

    Attributes:
        RECORD_ANSWER: record the escrow's answer.
        FREEZE: ask the escrow to freeze its money; its answer is another step.
        END_UNCREATED: look up a payment after its time, or after a requested cancellation, at the provider, and end it
        if
            it was not made there.
        SUBMIT: create the payment at the provider.
        RETURN: refund what was paid although the payment was to be cancelled.
        SUBMIT_REFUNDS: create requested refunds at the provider.
        REFRESH: refresh the payment.
        CANCEL: cancel the payment at the provider, as it was requested.
        FULFIL: pay the invoice, ask the escrow to take the money, or return money that cannot be fulfilled.
        EXPIRE: end a payment that was not paid in time.
    """

    RECORD_ANSWER = "take_answer"
    FREEZE = "freeze"
    END_UNCREATED = "end_unmade"
    SUBMIT = "submit"
    RETURN = "return"
    SUBMIT_REFUNDS = "submit_refunds"
    REFRESH = "look"
    CANCEL = "cancel"
    FULFIL = "fulfil"
    EXPIRE = "end_time"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgendaInput:
    """What the workflow knows besides the payment's state.

    Attributes:
        wants_refresh: a signal says that the provider has news, or requests a refresh.
        asked: an escrow was asked and has not answered; `answered`: it has.
        lookups: the number of consecutive lookups without a result.
        polls: the number of consecutive polls without news.
        polled_at: when the provider was last asked; None before the first time.
        taken: the steps taken since all due steps had their turn.
        held: until when steps without effect are held back.
    """

    wants_refresh: bool = False
    asked: bool = False
    answered: bool = False
    lookups: int = 0
    polls: int = 0
    polled_at: datetime | None = None
    taken: frozenset[AgendaStep] = frozenset()
    held: Mapping[AgendaStep, datetime] = field(default_factory=dict)


def agenda(payment: Payment, now: datetime, news: AgendaInput) -> AgendaStep | Wait:
    """Return the next step, or until when nothing is due."""
    steps = due_steps(payment, now, news)
    free = [step for step in steps if news.held.get(step, now) <= now]
    if free:
        return next((step for step in free if step not in news.taken), free[0])
    waits = [Wait(until=news.held[step], why=_why_held(step)) for step in steps]
    if not _is_uncreated(payment):
        waits.append(_next_wait(payment, now, news))
    return min(waits, key=lambda wait: wait.until)


def due_steps(payment: Payment, now: datetime, news: AgendaInput) -> list[AgendaStep]:
    """Return the due steps in the order of precedence, including those that are held back."""
    conditions = {
        AgendaStep.RECORD_ANSWER: news.answered,
        AgendaStep.FREEZE: must_freeze_escrow(payment) and not (news.asked or news.answered),
        AgendaStep.END_UNCREATED: _is_uncreated(payment) and not _is_wanted(payment, now),
        AgendaStep.SUBMIT: _is_uncreated(payment) and _is_wanted(payment, now),
        AgendaStep.RETURN: commands.must_be_returned(payment),
        AgendaStep.SUBMIT_REFUNDS: any(refund.state in IN_FLIGHT for refund in payment.refunds),
        AgendaStep.REFRESH: (news.wants_refresh or payment.unknown) and not _is_uncreated(payment),
        AgendaStep.CANCEL: payment.cancel_requested and commands.is_known(payment) and payment.status in AWAITING_PAYER,
        AgendaStep.FULFIL: _is_to_be_fulfilled(payment) and not (news.asked or news.answered),
        AgendaStep.EXPIRE: _is_time_over(payment, now) and not (news.asked or news.answered),
    }
    return [step for step in AgendaStep if conditions.get(step)]


def after_step(news: AgendaInput, step: AgendaStep, *, hold_until: datetime | None) -> AgendaInput:
    """Return the news after a step: it now comes after the others, and is held back if it had no effect."""
    taken = frozenset({step}) if step in news.taken else news.taken | {step}
    held = {each: until for each, until in news.held.items() if each is not step}
    return replace(news, taken=taken, held=held if hold_until is None else {**held, step: hold_until})


def retry_at(now: datetime, lookups: int) -> datetime:
    """Return when a step is tried again after a number of tries without effect."""
    pause: timedelta = FIRST_LOOKUP * 2 ** min(lookups, 16)
    return now + min(pause, LONGEST_LOOKUP)


def has_unknown_outcome(payment: Payment) -> bool:
    """Return whether the answer to a call was lost."""
    return payment.unknown or any(refund.state is RefundState.UNKNOWN for refund in payment.refunds)


def _why_held(step: AgendaStep) -> str:
    return (
        LOOK_UP
        if step in {AgendaStep.SUBMIT, AgendaStep.END_UNCREATED, AgendaStep.SUBMIT_REFUNDS, AgendaStep.REFRESH}
        else TRY_AGAIN
    )


def _is_uncreated(payment: Payment) -> bool:
    return payment.ref is None and payment.status in {PaymentStatus.CREATED, PaymentStatus.UNKNOWN}


def _is_wanted(payment: Payment, now: datetime) -> bool:
    return now < payment.terms.expires_at and not payment.cancel_requested


def _is_to_be_fulfilled(payment: Payment) -> bool:
    # The escrow is asked until it answers, because it may have taken the money, whatever has happened since.
    return fulfilment_due(payment) or (payment.fulfilling and payment.fulfilment is Fulfilment.PENDING)


def _is_time_over(payment: Payment, now: datetime) -> bool:
    ends_early = payment.cancel_requested and payment.received_minor > 0
    if now < payment.ends_at and not ends_early:
        return False
    short = is_underpaid(payment) and not payment.fulfilling
    return short or (not _is_uncreated(payment) and commands.expiring(payment, at=now) is not None)


def _next_wait(payment: Payment, now: datetime, news: AgendaInput) -> Wait:
    """Return the next time: of a poll, of the end of the payer's time, or of the run's end."""
    terms = payment.terms
    # A wait until a past time would loop within one workflow task.
    closes_at = payment.updated_at + timedelta(seconds=terms.open_seconds)
    closes_at = max(closes_at, now + LONGEST_LOOKUP) if news.asked else closes_at
    asked_at = now if payment.ref is None else news.polled_at or now
    if not is_awaited(payment):
        if not terms.late_poll_seconds:
            return Wait(until=closes_at, why=OPEN_FOR_COMMANDS)
        return Wait(until=min(asked_at + timedelta(seconds=terms.late_poll_seconds), closes_at), why=POLL)
    pause = min(terms.first_poll_seconds * 2 ** min(news.polls, 16), terms.longest_poll_seconds)
    poll = Wait(until=asked_at + timedelta(seconds=pause), why=POLL)
    if commands.expiring(payment, at=now) is None or not now < payment.ends_at < poll.until:
        return poll
    return Wait(until=payment.ends_at, why=PAYER_DEADLINE)
