"""Pause of timed exits that would pay a payee whom an operator has suspended.

These are the release at the end of a review, and the default of an undecided dispute. The release waits for a limited
time, because nobody has objected to the delivery. The default waits for a decision, with an alert every week.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from domain.escrow.deadlines import next_deadline, original_deadline
from domain.escrow.state import Escrow, EscrowStatus, Outcome
from domain.tenants.organization import OrganizationStatus, TimedExits

#: The length of one extension, and the time that both parties have after the payee was resumed.
EXTENSION_STEP = timedelta(days=1)
#: The interval of alerts to operators while a default waits.
REMINDER_INTERVAL = timedelta(days=7)


def extended_until(
    escrow: Escrow,
    *,
    payee: OrganizationStatus,
    timed_exits: TimedExits,
    changed_at: datetime | None,
    longest: timedelta,
    now: datetime,
) -> datetime | None:
    """Return the new time of a deadline that would pay a suspended payee; None if it acts now.

    Other deadlines are not paused. The new time may have passed as well if no worker ran; commands noted before it
    still count.

    Args:
        escrow: an escrow whose deadline has passed.
        payee: the status of the payee's organization.
        timed_exits: the setting of its last suspension.
        changed_at: when it was last suspended or resumed.
        longest: the longest extension of a review beyond its agreed end, by all suspensions.
        now: the time.
    """
    agreed, deadline = _agreed(escrow), next_deadline(escrow)
    if agreed is None or deadline is None or timed_exits is not TimedExits.PAUSE or changed_at is None:
        return None
    until = (now if payee is OrganizationStatus.SUSPENDED else changed_at) + EXTENSION_STEP
    if escrow.status is EscrowStatus.DELIVERED:
        until = min(until, agreed + longest)
    return until if until > deadline.at else None


def extended(escrow: Escrow, until: datetime) -> Outcome:
    """Extend the current deadline; nothing else changes."""
    agreed = original_deadline(escrow)
    details: dict[str, object] = {"until": until.isoformat()}
    if escrow.dispute is not None and escrow.status is EscrowStatus.DISPUTED:
        waiting = replace(escrow, dispute=replace(escrow.dispute, default_at=until, default_extended_from=agreed))
        return Outcome(escrow=waiting, event="default_extended", actor="timer", details=details)
    if escrow.status is EscrowStatus.OPEN:
        open_longer = replace(escrow, fund_by=until, extended_from=agreed)
        return Outcome(escrow=open_longer, event="funding_extended", actor="timer", details=details)
    if escrow.status is EscrowStatus.FUNDED:
        with_more_time = replace(escrow, deliver_by=until, extended_from=agreed)
        return Outcome(escrow=with_more_time, event="delivery_extended", actor="timer", details=details)
    longer = replace(escrow, review_by=until, review_extended_from=agreed)
    return Outcome(escrow=longer, event="review_extended", actor="timer", details=details)


def weeks_overdue(escrow: Escrow, now: datetime) -> int:
    """Return the whole weeks that a default has waited beyond its agreed time; 0 if it does not wait."""
    agreed = escrow.dispute.default_extended_from if escrow.dispute else None
    return 0 if agreed is None else max((now - agreed) // REMINDER_INTERVAL, 0)


def _agreed(escrow: Escrow) -> datetime | None:
    """Return the agreed time of a deadline that pays the payee; None for any other deadline."""
    if escrow.status is EscrowStatus.DELIVERED:
        return original_deadline(escrow)
    dispute = escrow.dispute
    if escrow.status is not EscrowStatus.DISPUTED or dispute is None or not dispute.overdue_alerted:
        return None
    return original_deadline(escrow) if escrow.default_share_e4 else None
