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
from domain.payments.payment.fulfilment import awaits, falls_short, fulfilment_due, must_freeze_escrow
from domain.payments.payment.state import IN_FLIGHT, Fulfilment, Payment, PaymentStatus, RefundState

#: The first and the longest pause between lookups of unknown outcomes, and between retries of steps without effect.
FIRST_LOOKUP, LONGEST_LOOKUP = timedelta(seconds=2), timedelta(minutes=10)
#: States in which nothing was paid, so that the provider can still cancel.
PAYERS_TURN = frozenset({PaymentStatus.REQUIRES_ACTION, PaymentStatus.REQUIRES_CAPTURE})
#: Summaries of the timers of a run.
LOOK_UP, POLL, TIME_OVER = "look up what is unknown", "ask the provider", "the payer's time is over"
TRY_AGAIN, STAYS_OPEN = "try again", "stays open for commands"


class Step(StrEnum):
    """Automatic steps of a run, in the order of precedence.

    Attributes:
        TAKE_ANSWER: record the escrow's answer.
        FREEZE: ask the escrow to freeze its money; recording the answer is another step.
        END_UNMADE: after the payer's deadline or a requested cancellation, look the payment up at the provider, and
            end it if it was not created there.
        SUBMIT: create the payment at the provider.
        RETURN: refund what was paid although the payment was to be cancelled.
        SUBMIT_REFUNDS: create requested refunds at the provider.
        LOOK: refresh the payment.
        CANCEL: cancel the payment at the provider, as requested.
        FULFIL: pay the invoice, ask the escrow to take the money, or return money that cannot be fulfilled.
        END_TIME: end a payment that was not paid by the payer's deadline.
    """

    TAKE_ANSWER = "take_answer"
    FREEZE = "freeze"
    END_UNMADE = "end_unmade"
    SUBMIT = "submit"
    RETURN = "return"
    SUBMIT_REFUNDS = "submit_refunds"
    LOOK = "look"
    CANCEL = "cancel"
    FULFIL = "fulfil"
    END_TIME = "end_time"


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """Input of the agenda: what the workflow knows besides the payment's state.

    Attributes:
        wants_refresh: whether a signal has requested a refresh.
        asked: whether a call to the escrow is running.
        answered: whether the escrow's answer is to be recorded.
        lookups: the number of consecutive lookups without a result.
        polls: the number of consecutive polls without a change.
        polled_at: the time of the last poll; None before the first one.
        taken: the steps that have run since every due step had its turn.
        held: the time of the next try of each step that had no effect.
    """

    wants_refresh: bool = False
    asked: bool = False
    answered: bool = False
    lookups: int = 0
    polls: int = 0
    polled_at: datetime | None = None
    taken: frozenset[Step] = frozenset()
    held: Mapping[Step, datetime] = field(default_factory=dict)


def agenda(payment: Payment, now: datetime, news: News) -> Step | Wait:
    """Return the next step, or the wait until the next one."""
    steps = due(payment, now, news)
    free = [step for step in steps if news.held.get(step, now) <= now]
    if free:
        return next((step for step in free if step not in news.taken), free[0])
    waits = [Wait(until=news.held[step], why=_why_held(step)) for step in steps]
    if not _is_unmade(payment):
        waits.append(_wake(payment, now, news))
    return min(waits, key=lambda wait: wait.until)


def due(payment: Payment, now: datetime, news: News) -> list[Step]:
    """Return the due steps in the order of precedence, including those that wait for a retry."""
    conditions = {
        Step.TAKE_ANSWER: news.answered,
        Step.FREEZE: must_freeze_escrow(payment) and not (news.asked or news.answered),
        Step.END_UNMADE: _is_unmade(payment) and not _is_wanted(payment, now),
        Step.SUBMIT: _is_unmade(payment) and _is_wanted(payment, now),
        Step.RETURN: commands.is_to_return(payment),
        Step.SUBMIT_REFUNDS: any(refund.state in IN_FLIGHT for refund in payment.refunds),
        Step.LOOK: (news.wants_refresh or payment.unknown) and not _is_unmade(payment),
        Step.CANCEL: payment.cancel_requested and commands.is_known(payment) and payment.status in PAYERS_TURN,
        Step.FULFIL: _is_to_be_fulfilled(payment) and not (news.asked or news.answered),
        Step.END_TIME: _is_over(payment, now) and not (news.asked or news.answered),
    }
    return [step for step in Step if conditions.get(step)]


def after(news: News, step: Step, *, hold_until: datetime | None) -> News:
    """Return the input after a step: it comes after the others, and not before `hold_until` if it had no effect."""
    taken = frozenset({step}) if step in news.taken else news.taken | {step}
    held = {each: until for each, until in news.held.items() if each is not step}
    return replace(news, taken=taken, held=held if hold_until is None else {**held, step: hold_until})


def hold_until(now: datetime, lookups: int) -> datetime:
    """Return the time of the next try of a step after `lookups` tries without effect."""
    pause: timedelta = FIRST_LOOKUP * 2 ** min(lookups, 16)
    return now + min(pause, LONGEST_LOOKUP)


def is_unknown(payment: Payment) -> bool:
    """Return whether the response to a call was lost."""
    return payment.unknown or any(refund.state is RefundState.UNKNOWN for refund in payment.refunds)


def _why_held(step: Step) -> str:
    return LOOK_UP if step in {Step.SUBMIT, Step.END_UNMADE, Step.SUBMIT_REFUNDS, Step.LOOK} else TRY_AGAIN


def _is_unmade(payment: Payment) -> bool:
    return payment.ref is None and payment.status in {PaymentStatus.CREATED, PaymentStatus.UNKNOWN}


def _is_wanted(payment: Payment, now: datetime) -> bool:
    return now < payment.terms.expires_at and not payment.cancel_requested


def _is_to_be_fulfilled(payment: Payment) -> bool:
    # The escrow is asked until it answers, because it may have taken the money, whatever has happened since.
    return fulfilment_due(payment) or (payment.fulfilling and payment.fulfilment is Fulfilment.PENDING)


def _is_over(payment: Payment, now: datetime) -> bool:
    ends_early = payment.cancel_requested and payment.received_minor > 0
    if now < payment.ends_at and not ends_early:
        return False
    short = falls_short(payment) and not payment.fulfilling
    return short or (not _is_unmade(payment) and commands.expiring(payment, at=now) is not None)


def _wake(payment: Payment, now: datetime, news: News) -> Wait:
    """Return the wait until the next poll, the payer's deadline, or the end of the run."""
    terms = payment.terms
    # A wait until a past time would loop within one workflow task.
    closes_at = payment.updated_at + timedelta(seconds=terms.open_seconds)
    closes_at = max(closes_at, now + LONGEST_LOOKUP) if news.asked else closes_at
    asked_at = now if payment.ref is None else news.polled_at or now
    if not awaits(payment):
        if not terms.late_poll_seconds:
            return Wait(until=closes_at, why=STAYS_OPEN)
        return Wait(until=min(asked_at + timedelta(seconds=terms.late_poll_seconds), closes_at), why=POLL)
    pause = min(terms.first_poll_seconds * 2 ** min(news.polls, 16), terms.longest_poll_seconds)
    poll = Wait(until=asked_at + timedelta(seconds=pause), why=POLL)
    if commands.expiring(payment, at=now) is None or not now < payment.ends_at < poll.until:
        return poll
    return Wait(until=payment.ends_at, why=TIME_OVER)
