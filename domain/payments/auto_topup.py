"""Automatic top-ups: the outcome of the payment that a low balance has caused. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from domain.payments.payment.state import Payment, PaymentStatus

P = PaymentStatus
#: Alert: a decline, refund or dispute switched the top-up off. Writing its settings resolves it.
SWITCHED_OFF = "credits.auto_topup_off"
#: Alert: a declined payment is tried again. A success or new settings resolve it.
FAILED = "credits.auto_topup_failed"
#: The states of a payment whose money was received.
RECEIVED = frozenset({P.SUCCEEDED, P.PARTIALLY_REFUNDED, P.REFUNDED, P.DISPUTED, P.CHARGED_BACK})


class TopUpOutcome(StrEnum):
    """Outcome of the top-up for one fall of the balance below the threshold.

    `cancelled`: a person cancelled the payment, or changed the settings before there was one. `expired`: there was
    neither a payment nor a decline in time, for example because the provider was down.
    """

    OPEN = "open"
    SUCCEEDED = "succeeded"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


#: Outcomes that count towards the monthly cap. So does any fall whose payment was received.
COUNTED_IN_CAP = (TopUpOutcome.OPEN, TopUpOutcome.SUCCEEDED)


@dataclass(frozen=True, slots=True)
class TopUpResult:
    """Outcome of a top-up, and why nothing was bought."""

    outcome: TopUpOutcome
    why: str | None = None


def topup_result(payment: Payment) -> TopUpResult:
    """Derive the outcome from the payment. Only a refusal by a bank or the provider is a decline."""
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
        return TopUpResult(TopUpOutcome.EXPIRED, "The payment was neither made nor declined in time.")
    return TopUpResult(TopUpOutcome.OPEN)


def month_start(now: datetime) -> datetime:
    """Return the start of the calendar month (UTC)."""
    return now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def next_month_start(now: datetime) -> datetime:
    """Return the start of the next calendar month (UTC)."""
    return month_start(month_start(now) + timedelta(days=32))


def retry_after(failures: int, days: Sequence[int]) -> timedelta | None:
    """Return the pause after consecutive declines; None when the top-up is given up.

    Args:
        failures: consecutive declines, at least 1.
        days: days of dunning, counted from the first decline.
    """
    if failures > len(days):
        return None
    before = days[failures - 2] if failures > 1 else 0
    return timedelta(days=days[failures - 1] - before)


def amount_to_buy(missing_minor: int, unit_minor: int, left_minor: int) -> int:
    """Return how many credits to buy: the least multiple of the unit that covers the shortfall, within the cap.

    Args:
        missing_minor: the shortfall below the threshold, plus the organization's debt.
        unit_minor: the configured number of credits of one top-up.
        left_minor: the rest of the monthly cap; less than a unit buys nothing.
    """
    wanted = max(1, -(-missing_minor // unit_minor))
    return unit_minor * max(0, min(wanted, left_minor // unit_minor))
