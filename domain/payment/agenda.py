"""What the run of a payment does next. The only place that orders due steps; pure.

Steps come in the order of `Step`. One that had no effect is held back for a growing while, and one that was taken gives
way to those that were not, so that nothing that is due first hides for ever what is due next.

`Order.BEFORE` is the order of older code, for runs that took a turn by it already.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from domain.agenda import Wait
from domain.payment import commands
from domain.payment.fulfilment import awaits, falls_short, fulfil, fulfilment_due, is_ready, must_freeze_escrow
from domain.payment.purposes.base import EscrowRequest
from domain.payment.state import IN_FLIGHT, Fulfilment, Payment, PaymentStatus, RefundState

#: Pauses between lookups of what is unknown, and between tries of what has no effect: the first, and the longest.
FIRST_LOOKUP, LONGEST_LOOKUP = timedelta(seconds=2), timedelta(minutes=10)
#: Why a run waits; the words stand beside its timer.
LOOK_UP, POLL, TIME_OVER = "look up what is unknown", "ask the provider", "the payer's time is over"
TRY_AGAIN, STAYS_OPEN = "try again", "stays open for commands"


class Order(StrEnum):
    """The order of what is due: `fair`, or as older code had it."""

    BEFORE = "before"
    FAIR = "fair"


class Step(StrEnum):
    """What a run can do by itself, in the order of precedence.

    Attributes:
        TAKE_ANSWER: record the escrow's response.
        FREEZE: have the escrow asked to hold what it has; its answer is another step.
        END_UNMADE: look for a payment that is made after its time, and end it where there is none.
        SUBMIT: have the provider make the payment.
        SUBMIT_REFUNDS: have the provider make what our books have.
        LOOK: ask the provider how the payment stands.
        FULFIL: pay the invoice, have the escrow asked to take the money, or return what cannot be fulfilled.
        END_TIME: end what the payer has not paid in time.
        REFUND_AND_LOOK, FUND_ESCROW, FREEZE_ESCROW: steps of the order of before, which waits for the escrow.
    """

    TAKE_ANSWER = "take_answer"
    FREEZE = "freeze"
    END_UNMADE = "end_unmade"
    SUBMIT = "submit"
    SUBMIT_REFUNDS = "submit_refunds"
    LOOK = "look"
    FULFIL = "fulfil"
    END_TIME = "end_time"
    REFUND_AND_LOOK = "refund_and_look"
    FUND_ESCROW = "fund_escrow"
    FREEZE_ESCROW = "freeze_escrow"


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What the run knows beside the payment's state.

    Attributes:
        told: the provider has news, or somebody wants it to be asked.
        woken: a wait is over; the order of before looks up what is unknown only then.
        asked: an escrow was asked and has not answered; `answered`: its answer is here.
        lookups: how often in a row something unknown was looked up in vain.
        polls: how often in a row a poll told nothing.
        polled_at: when the provider was asked last; None before the first time.
        taken: the steps that were taken since each one that was due had its turn.
        held: until when steps that had no effect are held back.
    """

    told: bool = False
    woken: bool = False
    asked: bool = False
    answered: bool = False
    lookups: int = 0
    polls: int = 0
    polled_at: datetime | None = None
    taken: frozenset[Step] = frozenset()
    held: Mapping[Step, datetime] = field(default_factory=dict)


def agenda(payment: Payment, now: datetime, news: News, order: Order = Order.FAIR) -> Step | Wait:
    """Return what is done next, or until when nothing is due."""
    if order is Order.BEFORE:
        return _before(payment, now, news)
    steps = due(payment, now, news)
    free = [step for step in steps if news.held.get(step, now) <= now]
    if free:
        return next((step for step in free if step not in news.taken), free[0])
    waits = [Wait(until=news.held[step], why=_why_held(step)) for step in steps]
    if not _is_unmade(payment):
        waits.append(_wake(payment, now, news))
    return min(waits, key=lambda wait: wait.until)


def what(item: Step | Wait) -> str:
    """Return what an item makes the run do: two waits for the same reason are the same, however long they last."""
    return item.value if isinstance(item, Step) else item.why


def due(payment: Payment, now: datetime, news: News) -> list[Step]:
    """Return what is due, in the order of precedence, whatever is held back."""
    conditions = {
        Step.TAKE_ANSWER: news.answered,
        Step.FREEZE: must_freeze_escrow(payment) and not (news.asked or news.answered),
        Step.END_UNMADE: _is_unmade(payment) and now >= payment.terms.expires_at,
        Step.SUBMIT: _is_unmade(payment) and now < payment.terms.expires_at,
        Step.SUBMIT_REFUNDS: any(refund.state in IN_FLIGHT for refund in payment.refunds),
        Step.LOOK: (news.told or payment.unknown) and not _is_unmade(payment),
        Step.FULFIL: _is_to_be_fulfilled(payment) and not (news.asked or news.answered),
        Step.END_TIME: _is_over(payment, now) and not (news.asked or news.answered),
    }
    return [step for step in Step if conditions.get(step)]


def after(news: News, step: Step, *, hold_until: datetime | None) -> News:
    """Return what is known after a step: it gives way to others, and is held back where it had no effect."""
    taken = frozenset({step}) if step in news.taken else news.taken | {step}
    held = {each: until for each, until in news.held.items() if each is not step}
    return replace(news, taken=taken, held=held if hold_until is None else {**held, step: hold_until})


def hold_until(now: datetime, lookups: int) -> datetime:
    """Return when something is tried again that was tried so often in vain."""
    pause: timedelta = FIRST_LOOKUP * 2 ** min(lookups, 16)
    return now + min(pause, LONGEST_LOOKUP)


def is_unknown(payment: Payment) -> bool:
    """Return whether the answer to a call was lost."""
    return payment.unknown or any(refund.state is RefundState.UNKNOWN for refund in payment.refunds)


def _why_held(step: Step) -> str:
    return LOOK_UP if step in {Step.SUBMIT, Step.END_UNMADE, Step.SUBMIT_REFUNDS, Step.LOOK} else TRY_AGAIN


def _is_unmade(payment: Payment) -> bool:
    return payment.ref is None and payment.status in {PaymentStatus.CREATED, PaymentStatus.UNKNOWN}


def _is_to_be_fulfilled(payment: Payment) -> bool:
    # An escrow that was asked is asked until it answers: it may have taken the money, whatever became of that since.
    return fulfilment_due(payment) or (payment.fulfilling and payment.fulfilment is Fulfilment.PENDING)


def _is_over(payment: Payment, now: datetime) -> bool:
    if now < payment.ends_at:
        return False
    short = falls_short(payment) and not payment.fulfilling
    return short or (not _is_unmade(payment) and commands.expiring(payment, at=now) is not None)


def _wake(payment: Payment, now: datetime, news: News) -> Wait:
    """Return when the provider is asked, the payer's time ends, or the run does."""
    terms = payment.terms
    # A wait for a time that has passed is none: the run would turn round and round within one task.
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


# The order of before ------------------------------------------------------------------------------------------------


def _before(payment: Payment, now: datetime, news: News) -> Step | Wait:
    unknown = is_unknown(payment)
    step = _first_before(payment, now, news) if news.woken or not unknown else None
    if step is not None:
        return step
    if unknown:
        return Wait(until=hold_until(now, news.lookups), why=LOOK_UP)
    # Its pauses begin anew with each wait.
    return _wake(payment, now, replace(news, polled_at=now))


def _first_before(payment: Payment, now: datetime, news: News) -> Step | None:
    if _is_unmade(payment):
        return Step.SUBMIT
    if any(refund.state in IN_FLIGHT for refund in payment.refunds):
        return Step.REFUND_AND_LOOK if news.told else Step.SUBMIT_REFUNDS
    if news.told or payment.unknown:
        return Step.LOOK
    if fulfilment_due(payment):
        asks = is_ready(payment) and isinstance(fulfil(payment, at=now), EscrowRequest)
        return Step.FUND_ESCROW if asks else Step.FULFIL
    if must_freeze_escrow(payment):
        return Step.FREEZE_ESCROW
    over = now >= payment.ends_at and (commands.expiring(payment, at=now) is not None or falls_short(payment))
    return Step.END_TIME if over else None
