"""When what would pay the payee by time waits: an operator has suspended the payee, and paused what would pay it.

That is the release at the end of a review, and the default of a dispute that nobody has decided. A release waits for
the longest pause at most, because nobody has objected to the delivery. In a dispute somebody has, so the default waits
for a decision: to neither side's favour, and with an alert every week.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from domain.escrow.deadlines import next_deadline, original_deadline
from domain.escrow.state import Escrow, EscrowStatus, Outcome
from domain.tenants.organization import OrganizationStatus, TimedExits

#: How far a deadline is extended at once, and how long both parties have after the payee was resumed.
EXTENSION_STEP = timedelta(days=1)
#: How often operators are alerted anew while a default waits.
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
    """Return until when a deadline that would pay the payee is extended; None when it acts now.

    Only what pays the payee waits, so a pause keeps money from the suspended payee and from nobody else. The new time
    may have passed too, where no worker ran until then: what was noted before it counts.

    Args:
        escrow: whose deadline has passed.
        payee: the status of the payee's organization.
        timed_exits: the setting of its last suspension.
        changed_at: when it was last suspended or resumed.
        longest: how much later than agreed a review ends at most, however often the payee is suspended.
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
    """Extend the present deadline; what the parties may do stays as it is."""
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
    """Return for how many whole weeks a default has waited beyond its agreed time; 0 if it does not wait."""
    agreed = escrow.dispute.default_extended_from if escrow.dispute else None
    return 0 if agreed is None else max((now - agreed) // REMINDER_INTERVAL, 0)


def _agreed(escrow: Escrow) -> datetime | None:
    """Return when the next deadline was to pay the payee, before it was extended; None if it pays the payee nothing."""
    if escrow.status is EscrowStatus.DELIVERED:
        return original_deadline(escrow)
    dispute = escrow.dispute
    if escrow.status is not EscrowStatus.DISPUTED or dispute is None or not dispute.overdue_alerted:
        return None
    return original_deadline(escrow) if escrow.default_share_e4 else None
