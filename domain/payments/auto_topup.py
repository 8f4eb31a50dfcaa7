"""Automatic top-ups: the outcome of a fall of the balance. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from domain.payments.payment.state import Payment, PaymentStatus

P = PaymentStatus
#: The kind of the alert about a decline; it is resolved when the automatic top-up is configured again.
SWITCHED_OFF = "credits.auto_topup_off"
#: The kind of the alert about a decline that is followed by another try; it is resolved by a success, too.
FAILED = "credits.auto_topup_failed"
#: The states of a payment whose money was received.
RECEIVED = frozenset({P.SUCCEEDED, P.PARTIALLY_REFUNDED, P.REFUNDED, P.DISPUTED, P.CHARGED_BACK})


class TopUpOutcome(StrEnum):
    """The outcome of a fall below the threshold.

    `cancelled`: a person cancelled the payment, or switched the top-up off before there was one. `expired`: the payment
    was neither paid nor declined in its time, for example because the provider was down.
    """

    OPEN = "open"
    SUCCEEDED = "succeeded"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


#: Outcomes that count in the monthly cap, as does every fall whose payment was received.
COUNTED_IN_CAP = (TopUpOutcome.OPEN, TopUpOutcome.SUCCEEDED)


@dataclass(frozen=True, slots=True)
class TopUpResult:
    """The outcome of a fall, and why nothing was bought."""

    outcome: TopUpOutcome
    why: str | None = None


def topup_result(payment: Payment) -> TopUpResult:
    """Return the outcome of a fall by its payment. Only a refusal of a bank or the provider is a decline."""
    status, decline = payment.status, payment.decline
    if status in RECEIVED:
        return TopUpResult(TopUpOutcome.SUCCEEDED)
    if decline is not None and status in {P.FAILED, P.REQUIRES_ACTION, P.EXPIRED}:
        return TopUpResult(TopUpOutcome.DECLINED, decline.detail)
    if status is P.FAILED:
        return TopUpResult(TopUpOutcome.DECLINED, "The payment failed.")
    if status is P.CANCELLED:
        return TopUpResult(TopUpOutcome.CANCELLED, "The payment was cancelled.")
    if status is P.EXPIRED:
        return TopUpResult(TopUpOutcome.EXPIRED, "The payment was neither made nor refused in its time.")
    return TopUpResult(TopUpOutcome.OPEN)


def month_start(now: datetime) -> datetime:
    """Return when the calendar month (UTC) began."""
    return now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def next_month_start(now: datetime) -> datetime:
    """Return when the next calendar month (UTC) begins."""
    return month_start(month_start(now) + timedelta(days=32))


def retry_after(failures: int, days: Sequence[int]) -> timedelta | None:
    """Return the pause after a number of declines in a row; None when the top-up is given up.

    Args:
        failures: at least 1.
        days: of dunning, counted from the first decline.
    """
    if failures > len(days):
        return None
    before = days[failures - 2] if failures > 1 else 0
    return timedelta(days=days[failures - 1] - before)


def amount_to_buy(missing_minor: int, unit_minor: int, left_minor: int) -> int:
    """Return how many credits a fall buys: the least multiple that covers what is missing, or what the cap leaves.

    Args:
        missing_minor: by how much the balance is below its threshold, with what the organization owes.
        unit_minor: what is bought at a time.
        left_minor: how much may be bought; less than a unit buys nothing.
    """
    wanted = max(1, -(-missing_minor // unit_minor))
    return unit_minor * max(0, min(wanted, left_minor // unit_minor))
