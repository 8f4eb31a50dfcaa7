"""The timed exits: what happens by itself in each state when nobody acts, so that no escrow stays locked."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from domain.common.money import format_ratio
from domain.escrow.settlement import ended, release, settle_dispute, with_moves
from domain.escrow.state import Escrow, EscrowPosting, EscrowPostingKind, EscrowStatus, Outcome

S = EscrowStatus
#: A deadline that acts later than this was kept from acting: no worker ran.
LATE_AFTER = timedelta(seconds=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """The next automatic step and its time, unless somebody acts before; `what` is the text shown beside the time."""

    at: datetime
    what: str


def next_deadline(escrow: Escrow) -> Deadline | None:
    """Return the next timed exit; every state that is not final has one."""
    if escrow.status is S.OPEN and escrow.fund_by:
        return Deadline(at=escrow.fund_by, what="if not funded by then, it is cancelled")
    if escrow.status is S.FUNDED and escrow.deliver_by:
        return Deadline(at=escrow.deliver_by, what="if not delivered by then, the money is refunded")
    if escrow.status is S.DELIVERED and escrow.review_by:
        return Deadline(at=escrow.review_by, what="if nobody decides by then, the money is released")
    if escrow.status is S.DISPUTED and escrow.dispute:
        if not escrow.dispute.overdue_alerted:
            return Deadline(at=escrow.dispute.decide_by, what="if not decided by then, operators are alerted")
        return Deadline(at=escrow.dispute.default_at, what=f"if not decided by then, {_default(escrow)}")
    return None


def original_deadline(escrow: Escrow) -> datetime | None:
    """Return when the next timed exit was to act before it was extended; None at the end."""
    deadline = next_deadline(escrow)
    extended_from = escrow.extended_from
    if escrow.status is S.DELIVERED:
        extended_from = escrow.review_extended_from
    elif escrow.status is S.DISPUTED and escrow.dispute and escrow.dispute.overdue_alerted:
        extended_from = escrow.dispute.default_extended_from
    return extended_from or (deadline.at if deadline else None)


def timed_exit(escrow: Escrow, now: datetime) -> Outcome | None:
    """Return what the deadline that has passed does, or None while none has."""
    deadline = next_deadline(escrow)
    if deadline is None or now < deadline.at:
        return None
    actor = "timer"
    if escrow.status is S.OPEN:
        return Outcome(escrow=ended(escrow, S.CANCELLED), event="funding_expired", actor=actor)
    if escrow.status is S.FUNDED:
        moves = (EscrowPosting(kind=EscrowPostingKind.REFUND, amount_minor=escrow.held_minor),)
        status = S.EXPIRED if escrow.paid_minor else S.REFUNDED
        final = ended(with_moves(escrow, moves), status)
        return Outcome(escrow=final, event="delivery_expired", actor=actor, moves=moves)
    if escrow.status is S.DELIVERED:
        return release(escrow, event="review_expired", actor=actor, details={}, now=now)
    assert escrow.dispute is not None
    if not escrow.dispute.overdue_alerted:
        default_at = escrow.dispute.default_at
        if now - escrow.dispute.decide_by > LATE_AFTER:
            # Who decides has the grace from the alert on, so an outage takes none of it away.
            default_at = max(default_at, now + timedelta(seconds=escrow.terms.grace_seconds))
        alerted = replace(escrow, dispute=replace(escrow.dispute, overdue_alerted=True, default_at=default_at))
        return Outcome(escrow=alerted, event="decision_overdue", actor=actor)
    return settle_dispute(
        escrow, event="default_applied", actor=actor, payee_share_e4=escrow.default_share_e4, note=None, now=now
    )


def _default(escrow: Escrow) -> str:
    """Say what happens to what is held when nobody decides the dispute."""
    share = format_ratio(escrow.default_share_e4)
    if escrow.default_share_e4 == escrow.terms.dispute_default_share_e4:
        return f"it is split by the contract's default, {share} to the payee"
    return (
        f"it is split, {share} to the payee for what it delivered"
        if escrow.default_share_e4
        else "the money is refunded"
    )
