"""When a release by time waits: an operator has suspended the payee, and paused what would pay it."""

from dataclasses import replace
from datetime import datetime, timedelta

from domain.escrow.state import Escrow, EscrowStatus, Outcome
from domain.organization import OrganizationStatus, TimedExits

#: How far a review is extended at once, and how long both parties have after the payee was resumed.
STEP = timedelta(days=1)


def extended_until(
    escrow: Escrow,
    *,
    payee: OrganizationStatus,
    timed_exits: TimedExits,
    changed_at: datetime | None,
    longest: timedelta,
    now: datetime,
) -> datetime | None:
    """Return until when a review that has ended is extended; None when what it holds is released now.

    Only a release waits, so a pause keeps money from the suspended payee and from nobody else.

    Args:
        escrow: whose review has ended.
        payee: the status of the payee's organization.
        timed_exits: the setting of its last suspension.
        changed_at: when it was last suspended or resumed.
        longest: how much later than agreed a review ends at most, however often the payee is suspended.
        now: the time.
    """
    if escrow.status is not EscrowStatus.DELIVERED or timed_exits is not TimedExits.PAUSE or changed_at is None:
        return None
    agreed = escrow.review_extended_from or escrow.review_by
    assert agreed is not None
    wanted = (now if payee is OrganizationStatus.SUSPENDED else changed_at) + STEP
    until = min(wanted, agreed + longest)
    return until if until > now else None


def extended(escrow: Escrow, until: datetime) -> Outcome:
    """Extend the review; what the parties may do stays as it is."""
    agreed = escrow.review_extended_from or escrow.review_by
    longer = replace(escrow, review_by=until, review_extended_from=agreed)
    details: dict[str, object] = {"until": until.isoformat()}
    return Outcome(escrow=longer, event="review_extended", actor="timer", details=details)
