"""Collection of an invoice: pure functions from the state of its collection to an outcome."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise

from domain.billing.invoice.collection import (
    FINAL,
    RECEIPT_WINDOW,
    UNDER_WAY,
    WORKFLOW,
    Collection,
    CollectionMethod,
    CollectionStatus,
    InvoiceDue,
    Pause,
    Transition,
)
from domain.billing.invoice.state import InvoiceStatus
from domain.common.errors import ChargeUnderWay, Conflict, WrongInvoiceState
from domain.common.mail import MailKind
from domain.common.money import format_amount
from domain.payments.payment.snapshot import ProviderStatus
from domain.payments.payment.state import Fulfilment, Payment, PaymentStatus

P, S = PaymentStatus, CollectionStatus
#: Pauses between checks of a payment that is under way, if its signal does not arrive; the last one is repeated.
POLL_INTERVALS = tuple(timedelta(seconds=seconds) for seconds in (15, 30, 60, 300, 900, 3600))
#: Number of checks after which a payment without a workflow is requested again.
REORDER_AFTER_POLLS = 2
#: Pauses between checks of a payment that the organization itself started and that a charge waits for; the last one is
#: repeated.
OWN_PAYMENT_POLL_INTERVALS = tuple(timedelta(minutes=minutes) for minutes in (5, 60, 6 * 60, 17 * 60, 24 * 60))
#: Numbers of checks after which a payment that waits for its payer is cancelled (a day), and the collection is paused
#: for an operator (two weeks).
CANCEL_AFTER_WAITS, PAUSE_AFTER_WAITS = 4, 17
#: Default days of dunning, counted from the first charge or the due date.
DUNNING_DAYS = (3, 7, 14, 21)
#: Decline codes of a charge that the payer has to confirm.
NEEDS_PAYER = frozenset({"authentication_required", "authentication_not_handled"})
#: Alert about a stuck collection, and when it is raised; a payment may take days.
STUCK_ALERT = "invoice.stuck"
_STUCK_AFTER, _SLOW_AFTER = timedelta(hours=1), timedelta(days=3)
_RECEIVED = frozenset({P.SUCCEEDED, P.PARTIALLY_REFUNDED, P.REFUNDED, P.DISPUTED, P.CHARGED_BACK})


class ChargeOutcome(StrEnum):
    """Outcome of a charge. `unanswered`: it ended neither paid nor declined."""

    OPEN = "open"
    PAID = "paid"
    DECLINED = "declined"
    NEEDS_PAYER = "needs_payer"
    UNANSWERED = "unanswered"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeResult:
    """Result of a charge.

    Attributes:
        goes_on: whether the payment has not ended.
        code, detail: why it failed.
        link: the page where the payer can confirm it.
    """

    became: ChargeOutcome
    goes_on: bool = False
    code: str | None = None
    detail: str | None = None
    link: str | None = None


def charge_result(payment: Payment) -> ChargeResult:
    """Derive the result from the payment. It is paid once its money has paid the invoice, or was refunded."""
    status, decline, action = payment.status, payment.decline, payment.action
    if status in _RECEIVED:
        if payment.fulfilment is Fulfilment.PENDING:
            return ChargeResult(became=ChargeOutcome.OPEN, goes_on=True)
        return ChargeResult(became=ChargeOutcome.PAID)
    if decline is not None and (status is P.FAILED or payment.provider_status is ProviderStatus.FAILED):
        became = ChargeOutcome.NEEDS_PAYER if decline.code in NEEDS_PAYER else ChargeOutcome.DECLINED
        return ChargeResult(became=became, code=decline.code, detail=decline.detail)
    link = None if action is None else action.redirect_url
    if status is P.REQUIRES_ACTION:
        why = {"code": "requires_action", "detail": "The payer has to confirm it."}
        return ChargeResult(became=ChargeOutcome.NEEDS_PAYER, goes_on=True, link=link, **why)
    if status is P.FAILED:
        return ChargeResult(became=ChargeOutcome.DECLINED, code="payment.failed", detail="The payment failed.")
    if status is P.CANCELLED:
        return ChargeResult(
            became=ChargeOutcome.UNANSWERED, code="payment.cancelled", detail="The payment was cancelled."
        )
    if status is P.EXPIRED:
        return ChargeResult(
            became=ChargeOutcome.UNANSWERED, code="payment.expired", detail="The payment was not made in time."
        )
    return ChargeResult(became=ChargeOutcome.OPEN, goes_on=True)


def stuck_after(status: str) -> timedelta:
    """Return how late a collection in this state is when it counts as stuck."""
    return _SLOW_AFTER if status in UNDER_WAY else _STUCK_AFTER


def check_days(days: Sequence[int]) -> tuple[int, ...]:
    """Check the days of dunning.

    Raises:
        ValueError: there are not 1 to 20, they do not ascend, or exceed a year.
    """
    found = tuple(days)
    rises = all(first < then for first, then in pairwise(found))
    if not 1 <= len(found) <= 20 or not rises or found[0] < 1 or found[-1] > 365:
        raise ValueError("days of dunning rise from 1 to 365, and there are at most 20")
    return found


def with_receipt(outcome: Transition, command_id: str) -> Transition:
    """Number the event and remember its command."""
    before = outcome.collection
    receipts = (*before.receipts, command_id)[-RECEIPT_WINDOW:]
    return replace(outcome, collection=replace(before, version=before.version + 1, receipts=receipts))


def opened(held: Collection, *, actor: str) -> Transition:
    """Start the collection: charge at once, or send reminders after the due date."""
    if held.method is CollectionMethod.SEND_INVOICE:
        held = replace(held, steps=1, next_at=held.due_at + _pause_before(held.days, 1))
    return Transition(collection=held, event="opened", actor=actor, details={"method": held.method.value})


def announced(held: Collection) -> Transition:
    """Mail the invoice to its payer."""
    after = replace(held, announced=True)
    return Transition(collection=after, event="announced", actor=WORKFLOW, mail=MailKind.INVOICE_ISSUED)


# Charges --------------------------------------------------------------------------------------------------------------


def charging(held: Collection, now: datetime, *, payment_id: str) -> Transition:
    """Start a charge, before it is requested from the provider."""
    after = replace(held, status=S.CHARGING, attempts=held.attempts + 1, payment_id=payment_id, next_at=now)
    return Transition(collection=after, event="charging", actor=WORKFLOW, details=_attempt(after))


def next_poll_at(now: datetime, looks: int) -> datetime:
    """Return the time of the next check of a payment, after `looks` checks."""
    return now + POLL_INTERVALS[min(looks, len(POLL_INTERVALS) - 1)]


def postponed(held: Collection, now: datetime, *, payment_id: str) -> Transition:
    """Postpone a step, without counting it, while a payment that the organization started is under way."""
    after = replace(held, status=S.SCHEDULED, waits_for=payment_id, waited=held.waited + 1)
    if after.waited > PAUSE_AFTER_WAITS:
        after = replace(_without_wait(after), status=S.PAUSED, paused_for=Pause.UNANSWERED, charge_now=False)
    else:
        after = replace(
            after, next_at=now + OWN_PAYMENT_POLL_INTERVALS[min(held.waited, len(OWN_PAYMENT_POLL_INTERVALS) - 1)]
        )
    return Transition(collection=after, event="waits", actor=WORKFLOW, details={"payment_id": payment_id})


def cancels_own_payments(held: Collection) -> bool:
    """Return whether the charge has waited long enough for the organization's own unpaid payments to be cancelled."""
    return held.waited >= CANCEL_AFTER_WAITS


def _without_wait(held: Collection) -> Collection:
    return replace(held, waits_for=None, waited=0)


def not_charged(held: Collection, now: datetime, *, code: str, detail: str) -> Transition:
    """Continue without a charge: there is no stored method, or none that can pay this.

    The first time the invoice is sent and dunned from its due date on; later a reminder is sent. No attempt counts as
    failed. A charge that an operator requested does not change the schedule.
    """
    failed = replace(_without_wait(held), status=S.SCHEDULED, charge_now=False, failure_code=code, failure=detail)
    mail = None
    if held.charge_now and held.steps > 0:
        after = _resume_plan(failed, now)
    elif code == WrongInvoiceState.code:
        after = replace(failed, next_at=now)
    elif held.steps == 0:
        after = replace(failed, steps=1, next_at=max(now, held.due_at) + _pause_before(held.days, 1))
    else:
        after = _count_step(failed, now)
        mail = None if _is_last(after) else MailKind.INVOICE_OVERDUE
    return Transition(collection=after, event="not_charged", actor=WORKFLOW, details=_why(after), mail=mail)


def declined(held: Collection, now: datetime, *, code: str, detail: str) -> Transition:
    """Count a declined charge; the next one is on the next day of dunning.

    A charge that an operator requested does not count; otherwise repeated ones would make the invoice uncollectible.
    """
    failed = replace(
        _without_wait(held), status=S.SCHEDULED, charge_now=False, unanswered=0, failure_code=code, failure=detail
    )
    after = _resume_plan(failed, now) if held.charge_now and held.steps else _count_step(failed, now)
    mail = None if _is_last(after) else MailKind.PAYMENT_FAILED
    return Transition(
        collection=after, event="declined", actor=WORKFLOW, details=_attempt(held) | _why(failed), mail=mail
    )


def needs_payer(
    held: Collection, now: datetime, *, payment_id: str, code: str, detail: str, link: str | None
) -> Transition:
    """Wait for the payer to confirm, with a link if there is one; this is not a step of dunning."""
    after = replace(
        _without_wait(held),
        status=S.REQUIRES_ACTION,
        payment_id=payment_id,
        next_at=now,
        failure_code=code,
        failure=detail,
    )
    return Transition(
        collection=after,
        event="requires_action",
        actor=WORKFLOW,
        details=_attempt(after),
        mail=MailKind.ACTION_REQUIRED if link else MailKind.INVOICE_OVERDUE,
        link=link,
    )


def unanswered(held: Collection, now: datetime, *, code: str, detail: str, mails_payer: bool = False) -> Transition:
    """Retry a charge that was neither paid nor declined; after one retry per day of dunning, pause for an operator.

    `mails_payer`: whether the organization gets a reminder.
    """
    count = held.unanswered + 1
    failed = replace(_without_wait(held), charge_now=False, unanswered=count, failure_code=code, failure=detail)
    if count > len(held.days):
        after = replace(failed, status=S.PAUSED, paused_for=Pause.UNANSWERED, unanswered=0)
    else:
        after = replace(failed, status=S.SCHEDULED, next_at=now + _pause_before(held.days, count))
    details = _attempt(held) | _why(failed)
    mail = MailKind.INVOICE_OVERDUE if mails_payer else None
    return Transition(collection=after, event="unanswered", actor=WORKFLOW, details=details, mail=mail)


def received(held: Collection, standing: InvoiceDue, now: datetime) -> Transition:
    """Record that the payment was received; the rest of the amount due is collected at once."""
    over = replace(_without_wait(held), charge_now=False, unanswered=0, failure_code=None, failure=None, next_at=now)
    if not standing.is_open:
        return replace(ended(over, standing), details=_attempt(held))
    after = replace(over, status=S.SCHEDULED)
    return Transition(collection=after, event="received", actor=WORKFLOW, details=_attempt(held))


def payment_ended(held: Collection, standing: InvoiceDue, verdict: ChargeResult, now: datetime) -> Transition:
    """Apply the result of a payment that was under way and has ended.

    A failure on the page where the payer confirms does not count as an attempt.
    """
    code, detail = verdict.code or "", verdict.detail or ""
    if verdict.became is ChargeOutcome.PAID:
        return received(held, standing, now)
    if verdict.became is ChargeOutcome.DECLINED and held.status is S.CHARGING:
        return declined(held, now, code=code, detail=detail)
    return unanswered(held, now, code=code, detail=detail)


# Dunning --------------------------------------------------------------------------------------------------------------


def reminded(held: Collection, now: datetime) -> Transition:
    """Send a reminder by mail."""
    after = _count_step(_without_wait(held), now)
    details: dict[str, object] = {"step": held.steps}
    return Transition(
        collection=after, event="reminded", actor=WORKFLOW, details=details, mail=MailKind.INVOICE_OVERDUE
    )


def given_up(held: Collection, standing: InvoiceDue, *, actor: str, reason: str = "") -> Transition:
    """Mark the invoice as uncollectible: the amount due is written off.

    Raises:
        ChargeUnderWay: a payment is under way.
        WrongInvoiceState: nothing is due.
    """
    _require_open(held, standing, "given up")
    after = replace(_without_wait(held), status=S.UNCOLLECTIBLE, paused_for=None, charge_now=False)
    details: dict[str, object] = {"reason": reason} if reason else {}
    mail = MailKind.INVOICE_UNCOLLECTIBLE
    return Transition(collection=after, event="given_up", actor=actor, details=details, mail=mail)


def voided(held: Collection, standing: InvoiceDue, *, actor: str, reason: str = "") -> Transition:
    """Void the invoice.

    Raises:
        ChargeUnderWay: a payment is under way.
        WrongInvoiceState: nothing is due, or a part was paid or credited.
    """
    _require_open(held, standing, "voided")
    if standing.touched:
        raise _refused(held, standing, "This invoice is partially paid or credited. It cannot be voided.")
    after = replace(held, status=S.VOID, paused_for=None, charge_now=False)
    details: dict[str, object] = {"reason": reason} if reason else {}
    return Transition(collection=after, event="voided", actor=actor, details=details)


# The invoice itself ---------------------------------------------------------------------------------------------------


def ended(held: Collection, standing: InvoiceDue) -> Transition:
    """Record the final state of the invoice."""
    status = S(standing.status.value) if standing.status is not InvoiceStatus.OPEN else S.PAID
    after = replace(held, status=status, paused_for=None, charge_now=False)
    return Transition(collection=after, event=status.value, actor=WORKFLOW)


def paused(held: Collection, standing: InvoiceDue) -> Transition:
    """Pause the collection for an operator, because money was refunded or charged back."""
    assert standing.paused_for is not None
    reason = Pause(standing.paused_for.value)
    after = replace(held, status=S.PAUSED, paused_for=reason, charge_now=False)
    return Transition(collection=after, event="paused", actor=WORKFLOW, details={"reason": reason.value})


def resumed(held: Collection, standing: InvoiceDue, now: datetime, *, actor: str) -> Transition:
    """Restart the collection from the first step.

    Raises:
        WrongInvoiceState: nothing is due, or it was not paused.
    """
    _require_open(held, standing, "resumed")
    if held.status not in {S.PAUSED, *FINAL} and standing.paused_for is None:
        raise _wrong(held, "resumed")
    again = replace(
        _without_wait(held),
        status=S.SCHEDULED,
        paused_for=None,
        charge_now=False,
        steps=0,
        unanswered=0,
        next_at=now,
        announced=True,
    )
    if again.method is CollectionMethod.SEND_INVOICE:
        again = replace(again, steps=1, next_at=max(now, again.due_at) + _pause_before(again.days, 1))
    return Transition(collection=again, event="resumed", actor=actor)


def charge_requested(held: Collection, standing: InvoiceDue, now: datetime, *, actor: str) -> Transition:
    """Charge now, on an operator's request; a paused collection is resumed.

    Raises:
        ChargeUnderWay: a payment is under way.
        WrongInvoiceState: nothing is due.
    """
    _require_open(held, standing, "charged")
    if held.status is not S.SCHEDULED or standing.paused_for is not None:
        held = resumed(held, standing, now, actor=actor).collection
    after = replace(held, charge_now=True, next_at=now, announced=True)
    return Transition(collection=after, event="charge_requested", actor=actor)


def _count_step(held: Collection, now: datetime) -> Collection:
    """Count one step of dunning. A late step delays the following ones, so that no day has two."""
    steps = held.steps + 1
    return replace(held, steps=steps, next_at=now + _pause_before(held.days, steps))


def _resume_plan(held: Collection, now: datetime) -> Collection:
    """Continue the schedule after a charge that an operator requested."""
    return replace(held, next_at=now + _pause_before(held.days, held.steps))


def _is_last(held: Collection) -> bool:
    return held.steps > len(held.days)


def _pause_before(days: tuple[int, ...], steps: int) -> timedelta:
    """Return the pause before the next step; zero after the last one."""
    if steps > len(days):
        return timedelta(0)
    return timedelta(days=days[steps - 1] - (days[steps - 2] if steps > 1 else 0))


def _require_open(held: Collection, standing: InvoiceDue, what: str) -> None:
    if held.status in UNDER_WAY:
        raise ChargeUnderWay(
            f"A payment of this invoice is under way. It cannot be {what} before that has ended.",
            extra={"state": held.status.value, "payment_id": held.payment_id},
        )
    if not standing.is_open:
        raise _refused(held, standing, f"This invoice is {standing.status.value}. It cannot be {what}.")


def _refused(held: Collection, standing: InvoiceDue, why: str) -> Conflict:
    due = format_amount(standing.due_minor, held.currency)
    return WrongInvoiceState(why, extra={"state": standing.status.value, "due": due})


def _wrong(held: Collection, what: str) -> Conflict:
    return WrongInvoiceState(
        f"The collection of this invoice is {held.status.value}. It cannot be {what}.",
        extra={"state": held.status.value},
    )


def _attempt(held: Collection) -> dict[str, object]:
    return {"attempt": held.attempts, "payment_id": held.payment_id}


def _why(held: Collection) -> dict[str, object]:
    return {"code": held.failure_code, "detail": held.failure}
