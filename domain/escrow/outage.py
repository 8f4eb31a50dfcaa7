"""Extension of deadlines after an outage of the API, during which nobody could act.

After an outage, a deadline acts only once the API has been available again for as long as the outage lasted. The
extensions by one outage, and by all, are limited, so that nobody gains much by causing outages.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from domain.escrow.deadlines import next_deadline, original_deadline
from domain.escrow.state import Dispute, Escrow, EscrowStatus, Outcome

#: The longest time given back after an outage; deadlines act within twice this after its beginning.
MAX_EXTENSION = timedelta(days=1)
#: The longest extension of a deadline beyond its agreed time by all outages.
MAX_TOTAL_EXTENSION = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """An outage: a period in which no web process ran; `ended_at` is None while it lasts.

    `owed` is what was left of extensions by earlier outages when it began; the first of these began at `owed_from`.
    """

    began_at: datetime
    ended_at: datetime | None = None
    owed: timedelta = timedelta(0)
    owed_from: datetime | None = None


def extended_until(escrow: Escrow, outage: Outage | None, now: datetime) -> datetime | None:
    """Return the new time of a deadline that has passed; None if it acts now.

    A deadline that passed before the outage acts. While the outage lasts, each extension is as long as the outage so
    far. The alert about an overdue decision is not delayed, because the grace period begins with it. The new time may
    have passed as well if no worker ran; commands noted before it still count.
    """
    deadline, agreed = next_deadline(escrow), original_deadline(escrow)
    if deadline is None or agreed is None or _undecided_dispute(escrow) is not None:
        return None
    return _extended_by_outage(deadline.at, agreed, outage, now)


def evidence_closes_at(escrow: Escrow) -> datetime | None:
    """Return when a dispute's evidence window closes; None without a dispute or once its decision is overdue."""
    dispute = _undecided_dispute(escrow)
    return dispute.evidence_until if dispute else None


def evidence_extended_until(escrow: Escrow, outage: Outage | None, now: datetime) -> datetime | None:
    """Return the new end of an evidence window that has passed; None if it is closed."""
    dispute = _undecided_dispute(escrow)
    if dispute is None:
        return None
    agreed = dispute.evidence_extended_from or dispute.evidence_until
    return _extended_by_outage(dispute.evidence_until, agreed, outage, now)


def evidence_extended(escrow: Escrow, until: datetime) -> Outcome:
    """Extend the evidence window of a dispute; the decision period after it keeps its length.

    The agreed time of the default is kept as the basis for the limit of all its extensions.
    """
    dispute = escrow.dispute
    assert dispute is not None
    longer = until - dispute.evidence_until
    extended = replace(
        dispute,
        evidence_until=until,
        decide_by=dispute.decide_by + longer,
        default_at=dispute.default_at + longer,
        evidence_extended_from=dispute.evidence_extended_from or dispute.evidence_until,
        default_extended_from=dispute.default_extended_from or dispute.default_at,
    )
    details: dict[str, object] = {"until": extended.default_at.isoformat(), "evidence_until": until.isoformat()}
    waiting = replace(escrow, dispute=extended)
    return Outcome(escrow=waiting, event="default_extended", actor="timer", details=details)


def _undecided_dispute(escrow: Escrow) -> Dispute | None:
    if escrow.status is not EscrowStatus.DISPUTED or escrow.dispute is None or escrow.dispute.overdue_alerted:
        return None
    return escrow.dispute


def _extended_by_outage(at: datetime, agreed: datetime, outage: Outage | None, now: datetime) -> datetime | None:
    if outage is None or at <= (outage.owed_from or outage.began_at):
        return None
    ended_at = outage.ended_at or now
    given_back = min(ended_at - outage.began_at + outage.owed, MAX_EXTENSION)
    until = min(ended_at + given_back, outage.began_at + 2 * MAX_EXTENSION, agreed + MAX_TOTAL_EXTENSION)
    return until if until > at else None
