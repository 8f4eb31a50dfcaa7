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
    Outcome,
    Pause,
)
from domain.billing.invoice.state import InvoiceStatus
from domain.common.errors import ChargeUnderWay, Conflict, WrongInvoiceState
from domain.common.mail import MailKind
from domain.common.money import format_amount
from domain.payments.payment.snapshot import ProviderStatus
from domain.payments.payment.state import Fulfilment, Payment, PaymentStatus

P, S = PaymentStatus, CollectionStatus
#: Pauses between checks of a payment that is under way, if its signal does not arrive; the last one is repeated.
LOOKS = tuple(timedelta(seconds=seconds) for seconds in (15, 30, 60, 300, 900, 3600))
#: Number of checks after which a payment without a workflow is requested again.
ORDERS_AGAIN_AFTER = 2
#: Pauses between checks of a payment that the organization itself started and that a charge waits for; the last one is
#: repeated.
WAITS = tuple(timedelta(minutes=minutes) for minutes in (5, 60, 6 * 60, 17 * 60, 24 * 60))
#: Number of checks after which (a day) a payment that waits for its payer is cancelled, and after which (two weeks) the
#: collection is paused for an operator.
ENDS_AFTER, DECIDES_AFTER = 4, 17
#: Default days of dunning, counted from the first charge or the due date.
DAYS = (3, 7, 14, 21)
#: Decline codes of a charge that the payer has to confirm.
NEEDS_PAYER = frozenset({"authentication_required", "authentication_not_handled"})
#: Alert about a stuck collection, and when it is raised; a payment may take days.
STUCK = "invoice.stuck"
_STUCK_AFTER, _SLOW_AFTER = timedelta(hours=1), timedelta(days=3)
_RECEIVED = frozenset({P.SUCCEEDED, P.PARTIALLY_REFUNDED, P.REFUNDED, P.DISPUTED, P.CHARGED_BACK})


class Became(StrEnum):
    """Outcome of a charge. `unanswered`: it ended neither paid nor declined."""

    OPEN = "open"
    PAID = "paid"
    DECLINED = "declined"
    NEEDS_PAYER = "needs_payer"
    UNANSWERED = "unanswered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Result of a charge.

    Attributes:
        goes_on: whether the payment has not ended.
        code, detail: why it failed.
        link: the page where the payer can confirm it.
    """

    became: Became
    goes_on: bool = False
    code: str | None = None
    detail: str | None = None
    link: str | None = None


def verdict_of(payment: Payment) -> Verdict:
    """Derive the result from the payment. It is paid once its money has paid the invoice, or was refunded."""
    status, decline, action = payment.status, payment.decline, payment.action
    if status in _RECEIVED:
        if payment.fulfilment is Fulfilment.PENDING:
            return Verdict(became=Became.OPEN, goes_on=True)
        return Verdict(became=Became.PAID)
    if decline is not None and (status is P.FAILED or payment.provider_status is ProviderStatus.FAILED):
        became = Became.NEEDS_PAYER if decline.code in NEEDS_PAYER else Became.DECLINED
        return Verdict(became=became, code=decline.code, detail=decline.detail)
    link = None if action is None else action.redirect_url
    if status is P.REQUIRES_ACTION:
        why = {"code": "requires_action", "detail": "The payer has to confirm it."}
        return Verdict(became=Became.NEEDS_PAYER, goes_on=True, link=link, **why)
    if status is P.FAILED:
        return Verdict(became=Became.DECLINED, code="payment.failed", detail="The payment failed.")
    if status is P.CANCELLED:
        return Verdict(became=Became.UNANSWERED, code="payment.cancelled", detail="The payment was cancelled.")
    if status is P.EXPIRED:
        return Verdict(became=Became.UNANSWERED, code="payment.expired", detail="The payment was not made in time.")
    return Verdict(became=Became.OPEN, goes_on=True)


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


def numbered(outcome: Outcome, command_id: str) -> Outcome:
    """Number the event and remember its command."""
    before = outcome.collection
    receipts = (*before.receipts, command_id)[-RECEIPT_WINDOW:]
    return replace(outcome, collection=replace(before, version=before.version + 1, receipts=receipts))


def opened(held: Collection, *, actor: str) -> Outcome:
    """Start the collection: charge at once, or send reminders after the due date."""
    if held.method is CollectionMethod.SEND_INVOICE:
        held = replace(held, steps=1, next_at=held.due_at + _gap(held.days, 1))
    return Outcome(collection=held, event="opened", actor=actor, details={"method": held.method.value})


def announced(held: Collection) -> Outcome:
    """Mail the invoice to its payer."""
    after = replace(held, announced=True)
    return Outcome(collection=after, event="announced", actor=WORKFLOW, mail=MailKind.INVOICE_ISSUED)


# Charges --------------------------------------------------------------------------------------------------------------


def charging(held: Collection, now: datetime, *, payment_id: str) -> Outcome:
    """Start a charge, before it is requested from the provider."""
    after = replace(held, status=S.CHARGING, attempts=held.attempts + 1, payment_id=payment_id, next_at=now)
    return Outcome(collection=after, event="charging", actor=WORKFLOW, details=_attempt(after))


def look_at(now: datetime, looks: int) -> datetime:
    """Return the time of the next check of a payment, after `looks` checks."""
    return now + LOOKS[min(looks, len(LOOKS) - 1)]


def waits(held: Collection, now: datetime, *, payment_id: str) -> Outcome:
    """Postpone a step, without counting it, while a payment that the organization started is under way."""
    after = replace(held, status=S.SCHEDULED, waits_for=payment_id, waited=held.waited + 1)
    if after.waited > DECIDES_AFTER:
        after = replace(_settled(after), status=S.PAUSED, paused_for=Pause.UNANSWERED, charge_now=False)
    else:
        after = replace(after, next_at=now + WAITS[min(held.waited, len(WAITS) - 1)])
    return Outcome(collection=after, event="waits", actor=WORKFLOW, details={"payment_id": payment_id})


def ends_others(held: Collection) -> bool:
    """Return whether the charge has waited long enough for the organization's own unpaid payments to be cancelled."""
    return held.waited >= ENDS_AFTER


def _settled(held: Collection) -> Collection:
    return replace(held, waits_for=None, waited=0)


def not_charged(held: Collection, now: datetime, *, code: str, detail: str) -> Outcome:
    """Continue without a charge: there is no stored method, or none that can pay this.

    The first time the invoice is sent and dunned from its due date on; later a reminder is sent. No attempt counts as
    failed. A charge that an operator requested does not change the schedule.
    """
    failed = replace(_settled(held), status=S.SCHEDULED, charge_now=False, failure_code=code, failure=detail)
    mail = None
    if held.charge_now and held.steps > 0:
        after = _beside(failed, now)
    elif code == WrongInvoiceState.code:
        after = replace(failed, next_at=now)
    elif held.steps == 0:
        after = replace(failed, steps=1, next_at=max(now, held.due_at) + _gap(held.days, 1))
    else:
        after = _next(failed, now)
        mail = None if _is_last(after) else MailKind.INVOICE_OVERDUE
    return Outcome(collection=after, event="not_charged", actor=WORKFLOW, details=_why(after), mail=mail)


def declined(held: Collection, now: datetime, *, code: str, detail: str) -> Outcome:
    """Count a declined charge; the next one is on the next day of dunning.

    A charge that an operator requested does not count; otherwise repeated ones would make the invoice uncollectible.
    """
    failed = replace(
        _settled(held), status=S.SCHEDULED, charge_now=False, unanswered=0, failure_code=code, failure=detail
    )
    after = _beside(failed, now) if held.charge_now and held.steps else _next(failed, now)
    mail = None if _is_last(after) else MailKind.PAYMENT_FAILED
    return Outcome(collection=after, event="declined", actor=WORKFLOW, details=_attempt(held) | _why(failed), mail=mail)


def needs_payer(
    held: Collection, now: datetime, *, payment_id: str, code: str, detail: str, link: str | None
) -> Outcome:
    """Wait for the payer to confirm, with a link if there is one; this is not a step of dunning."""
    after = replace(
        _settled(held), status=S.REQUIRES_ACTION, payment_id=payment_id, next_at=now, failure_code=code, failure=detail
    )
    return Outcome(
        collection=after,
        event="requires_action",
        actor=WORKFLOW,
        details=_attempt(after),
        mail=MailKind.ACTION_REQUIRED if link else MailKind.INVOICE_OVERDUE,
        link=link,
    )


def unanswered(held: Collection, now: datetime, *, code: str, detail: str, mails_payer: bool = False) -> Outcome:
    """Retry a charge that was neither paid nor declined; after one retry per day of dunning, pause for an operator.

    `mails_payer`: whether the organization gets a reminder.
    """
    count = held.unanswered + 1
    failed = replace(_settled(held), charge_now=False, unanswered=count, failure_code=code, failure=detail)
    if count > len(held.days):
        after = replace(failed, status=S.PAUSED, paused_for=Pause.UNANSWERED, unanswered=0)
    else:
        after = replace(failed, status=S.SCHEDULED, next_at=now + _gap(held.days, count))
    details = _attempt(held) | _why(failed)
    mail = MailKind.INVOICE_OVERDUE if mails_payer else None
    return Outcome(collection=after, event="unanswered", actor=WORKFLOW, details=details, mail=mail)


def received(held: Collection, standing: InvoiceDue, now: datetime) -> Outcome:
    """Record that the payment was received; the rest of the amount due is collected at once."""
    over = replace(_settled(held), charge_now=False, unanswered=0, failure_code=None, failure=None, next_at=now)
    if not standing.is_open:
        return replace(ended(over, standing), details=_attempt(held))
    after = replace(over, status=S.SCHEDULED)
    return Outcome(collection=after, event="received", actor=WORKFLOW, details=_attempt(held))


def followed(held: Collection, standing: InvoiceDue, verdict: Verdict, now: datetime) -> Outcome:
    """Apply the result of a payment that was under way and has ended.

    A failure on the page where the payer confirms does not count as an attempt.
    """
    code, detail = verdict.code or "", verdict.detail or ""
    if verdict.became is Became.PAID:
        return received(held, standing, now)
    if verdict.became is Became.DECLINED and held.status is S.CHARGING:
        return declined(held, now, code=code, detail=detail)
    return unanswered(held, now, code=code, detail=detail)


# Dunning --------------------------------------------------------------------------------------------------------------


def reminded(held: Collection, now: datetime) -> Outcome:
    """Send a reminder by mail."""
    after = _next(_settled(held), now)
    details: dict[str, object] = {"step": held.steps}
    return Outcome(collection=after, event="reminded", actor=WORKFLOW, details=details, mail=MailKind.INVOICE_OVERDUE)


def given_up(held: Collection, standing: InvoiceDue, *, actor: str, reason: str = "") -> Outcome:
    """Mark the invoice as uncollectible: the amount due is written off.

    Raises:
        ChargeUnderWay: a payment is under way.
        WrongInvoiceState: nothing is due.
    """
    _demand(held, standing, "given up")
    after = replace(_settled(held), status=S.UNCOLLECTIBLE, paused_for=None, charge_now=False)
    details: dict[str, object] = {"reason": reason} if reason else {}
    mail = MailKind.INVOICE_UNCOLLECTIBLE
    return Outcome(collection=after, event="given_up", actor=actor, details=details, mail=mail)


def voided(held: Collection, standing: InvoiceDue, *, actor: str, reason: str = "") -> Outcome:
    """Void the invoice.

    Raises:
        ChargeUnderWay: a payment is under way.
        WrongInvoiceState: nothing is due, or a part was paid or credited.
    """
    _demand(held, standing, "voided")
    if standing.touched:
        raise _refused(held, standing, "This invoice is partially paid or credited. It cannot be voided.")
    after = replace(held, status=S.VOID, paused_for=None, charge_now=False)
    details: dict[str, object] = {"reason": reason} if reason else {}
    return Outcome(collection=after, event="voided", actor=actor, details=details)


# The invoice itself ---------------------------------------------------------------------------------------------------


def ended(held: Collection, standing: InvoiceDue) -> Outcome:
    """Record the final state of the invoice."""
    status = S(standing.status.value) if standing.status is not InvoiceStatus.OPEN else S.PAID
    after = replace(held, status=status, paused_for=None, charge_now=False)
    return Outcome(collection=after, event=status.value, actor=WORKFLOW)


def paused(held: Collection, standing: InvoiceDue) -> Outcome:
    """Pause the collection for an operator, because money was refunded or charged back."""
    assert standing.paused_for is not None
    reason = Pause(standing.paused_for.value)
    after = replace(held, status=S.PAUSED, paused_for=reason, charge_now=False)
    return Outcome(collection=after, event="paused", actor=WORKFLOW, details={"reason": reason.value})


def resumed(held: Collection, standing: InvoiceDue, now: datetime, *, actor: str) -> Outcome:
    """Restart the collection from the first step.

    Raises:
        WrongInvoiceState: nothing is due, or it was not paused.
    """
    _demand(held, standing, "resumed")
    if held.status not in {S.PAUSED, *FINAL} and standing.paused_for is None:
        raise _wrong(held, "resumed")
    again = replace(
        _settled(held),
        status=S.SCHEDULED,
        paused_for=None,
        charge_now=False,
        steps=0,
        unanswered=0,
        next_at=now,
        announced=True,
    )
    if again.method is CollectionMethod.SEND_INVOICE:
        again = replace(again, steps=1, next_at=max(now, again.due_at) + _gap(again.days, 1))
    return Outcome(collection=again, event="resumed", actor=actor)


def charge_requested(held: Collection, standing: InvoiceDue, now: datetime, *, actor: str) -> Outcome:
    """Charge now, on an operator's request; a paused collection is resumed.

    Raises:
        ChargeUnderWay: a payment is under way.
        WrongInvoiceState: nothing is due.
    """
    _demand(held, standing, "charged")
    if held.status is not S.SCHEDULED or standing.paused_for is not None:
        held = resumed(held, standing, now, actor=actor).collection
    after = replace(held, charge_now=True, next_at=now, announced=True)
    return Outcome(collection=after, event="charge_requested", actor=actor)


def _next(held: Collection, now: datetime) -> Collection:
    """Count one step of dunning. A late step delays the following ones, so that no day has two."""
    steps = held.steps + 1
    return replace(held, steps=steps, next_at=now + _gap(held.days, steps))


def _beside(held: Collection, now: datetime) -> Collection:
    """Continue the schedule after a charge that an operator requested."""
    return replace(held, next_at=now + _gap(held.days, held.steps))


def _is_last(held: Collection) -> bool:
    return held.steps > len(held.days)


def _gap(days: tuple[int, ...], steps: int) -> timedelta:
    """Return the pause before the next step; zero after the last one."""
    if steps > len(days):
        return timedelta(0)
    return timedelta(days=days[steps - 1] - (days[steps - 2] if steps > 1 else 0))


def _demand(held: Collection, standing: InvoiceDue, what: str) -> None:
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
