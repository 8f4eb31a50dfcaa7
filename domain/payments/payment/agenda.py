"""The agenda of a payment: the next step of its workflow. The only place that orders due steps; pure.

Steps run in the order of `AgendaStep`. A step without effect is retried after a growing pause, and a step that has run
comes after those that have not, so that the first due steps cannot block the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from domain.common.agenda import Wait
from domain.payments.payment import commands
from domain.payments.payment.fulfilment import fulfilment_due, is_awaited, is_underpaid, must_freeze_escrow
from domain.payments.payment.state import IN_FLIGHT, Fulfilment, Payment, PaymentStatus, RefundState

#: The first and the longest pause between lookups of unknown outcomes, and between retries of steps without effect.
FIRST_LOOKUP, LONGEST_LOOKUP = timedelta(seconds=2), timedelta(minutes=10)
#: States in which nothing was paid, so that the provider can still cancel.
AWAITING_PAYER = frozenset({PaymentStatus.REQUIRES_ACTION, PaymentStatus.REQUIRES_CAPTURE})
#: Summaries of the timers of a run.
LOOK_UP, POLL, PAYER_DEADLINE = "look up what is unknown", "ask the provider", "the payer's time is over"
TRY_AGAIN, OPEN_FOR_COMMANDS = "try again", "stays open for commands"


class AgendaStep(StrEnum):
    """Automatic steps of a run, in the order of precedence.

    Attributes:
        RECORD_ANSWER: record the escrow's answer.
        FREEZE: ask the escrow to freeze its money; recording the answer is another step.
        END_UNCREATED: after the payer's deadline or a requested cancellation, look the payment up at the provider, and
            end it if it was not created there.
        SUBMIT: create the payment at the provider.
        RETURN: refund what was paid although the payment was to be cancelled.
        SUBMIT_REFUNDS: create requested refunds at the provider.
        REFRESH: refresh the payment.
        CANCEL: cancel the payment at the provider, as requested.
        FULFIL: pay the invoice, ask the escrow to take the money, or return money that cannot be fulfilled.
        EXPIRE: end a payment that was not paid by the payer's deadline.
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
    """Input of the agenda: what the workflow knows besides the payment's state.

    Attributes:
        wants_refresh: whether a signal has requested a refresh.
        asked: whether a call to the escrow is running.
        answered: whether the escrow's answer is to be recorded.
        lookups: the number of consecutive lookups without a result.
        polls: the number of consecutive polls without a change.
        polled_at: the time of the last poll; None before the first one.
        taken: steps run in this round; a repeated step starts the next.
        held: the time of the next try of each step that had no effect.
    """

    wants_refresh: bool = False
    asked: bool = False
    answered: bool = False
    lookups: int = 0
    polls: int = 0
    polled_at: datetime | None = None
    taken: frozenset[AgendaStep] = frozenset()
    held: Mapping[AgendaStep, datetime] = field(default_factory=dict)


def agenda(payment: Payment, now: datetime, given: AgendaInput) -> AgendaStep | Wait:
    """Return the next step, or the wait until the next one."""
    steps = due_steps(payment, now, given)
    free = [step for step in steps if given.held.get(step, now) <= now]
    if free:
        return next((step for step in free if step not in given.taken), free[0])
    waits = [Wait(until=given.held[step], why=_why_held(step)) for step in steps]
    if not _is_uncreated(payment):
        waits.append(_next_wait(payment, now, given))
    return min(waits, key=lambda wait: wait.until)


def due_steps(payment: Payment, now: datetime, given: AgendaInput) -> list[AgendaStep]:
    """Return the due steps in the order of precedence, including those that wait for a retry."""
    conditions = {
        AgendaStep.RECORD_ANSWER: given.answered,
        AgendaStep.FREEZE: must_freeze_escrow(payment) and not (given.asked or given.answered),
        AgendaStep.END_UNCREATED: _is_uncreated(payment) and not _is_wanted(payment, now),
        AgendaStep.SUBMIT: _is_uncreated(payment) and _is_wanted(payment, now),
        AgendaStep.RETURN: commands.must_be_returned(payment),
        AgendaStep.SUBMIT_REFUNDS: any(refund.state in IN_FLIGHT for refund in payment.refunds),
        AgendaStep.REFRESH: (given.wants_refresh or payment.unknown) and not _is_uncreated(payment),
        AgendaStep.CANCEL: payment.cancel_requested and commands.is_known(payment) and payment.status in AWAITING_PAYER,
        AgendaStep.FULFIL: _is_to_be_fulfilled(payment) and not (given.asked or given.answered),
        AgendaStep.EXPIRE: _is_time_over(payment, now) and not (given.asked or given.answered),
    }
    return [step for step in AgendaStep if conditions.get(step)]


def after_step(given: AgendaInput, step: AgendaStep, *, hold_until: datetime | None) -> AgendaInput:
    """Return the input after a step: it comes after the others, and not before `hold_until`."""
    taken = frozenset({step}) if step in given.taken else given.taken | {step}
    held = {each: until for each, until in given.held.items() if each is not step}
    return replace(given, taken=taken, held=held if hold_until is None else {**held, step: hold_until})


def retry_at(now: datetime, lookups: int) -> datetime:
    """Return the time of the next try of a step after `lookups` tries without effect."""
    pause: timedelta = FIRST_LOOKUP * 2 ** min(lookups, 16)
    return now + min(pause, LONGEST_LOOKUP)


def has_unknown_outcome(payment: Payment) -> bool:
    """Return whether the response to a call was lost."""
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
    # The escrow is asked until it answers, because it may have taken the money.
    return fulfilment_due(payment) or (payment.fulfilling and payment.fulfilment is Fulfilment.PENDING)


def _is_time_over(payment: Payment, now: datetime) -> bool:
    ends_early = payment.cancel_requested and payment.received_minor > 0
    if now < payment.ends_at and not ends_early:
        return False
    short = is_underpaid(payment) and not payment.fulfilling
    return short or (not _is_uncreated(payment) and commands.expiring(payment, at=now) is not None)


def _next_wait(payment: Payment, now: datetime, given: AgendaInput) -> Wait:
    """Return the wait until the next poll, the payer's deadline, or the end of the run."""
    terms = payment.terms
    # A wait until a past time would loop within one workflow task.
    closes_at = payment.updated_at + timedelta(seconds=terms.open_seconds)
    closes_at = max(closes_at, now + LONGEST_LOOKUP) if given.asked else closes_at
    asked_at = now if payment.ref is None else given.polled_at or now
    if not is_awaited(payment):
        if not terms.late_poll_seconds:
            return Wait(until=closes_at, why=OPEN_FOR_COMMANDS)
        return Wait(until=min(asked_at + timedelta(seconds=terms.late_poll_seconds), closes_at), why=POLL)
    pause = min(terms.first_poll_seconds * 2 ** min(given.polls, 16), terms.longest_poll_seconds)
    poll = Wait(until=asked_at + timedelta(seconds=pause), why=POLL)
    if commands.expiring(payment, at=now) is None or not now < payment.ends_at < poll.until:
        return poll
    return Wait(until=payment.ends_at, why=PAYER_DEADLINE)
