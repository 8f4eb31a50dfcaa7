"""Payment out of an escrow: release to the payee, and the split of a dispute."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from domain.common.money import allocate, format_amount, format_ratio
from domain.escrow.state import WHOLE_E4, Escrow, EscrowPosting, EscrowPostingKind, EscrowStatus, Outcome


def release(escrow: Escrow, *, event: str, actor: str, details: Mapping[str, object], now: datetime) -> Outcome:
    """Release the amount under review; with milestones left, the next delivery period starts without signatures."""
    milestone = escrow.delivery.milestone if escrow.delivery else None
    released = (*escrow.milestones_released, milestone) if milestone else ()
    remaining = [m for m in escrow.terms.milestones if m.name not in released]
    gross = escrow.held_minor
    if remaining:
        # A partial refund may have left less than the milestone's price.
        price = next(m.amount_minor for m in escrow.terms.milestones if m.name == milestone)
        gross = min(price, gross)
    moves = _payout(escrow, gross)
    paid = replace(with_moves(escrow, moves), milestones_released=released)
    shown = {**details, "released": format_amount(gross, escrow.terms.currency)}
    shown |= {"milestone": milestone} if milestone else {}
    if not remaining or not paid.held_minor:
        return Outcome(escrow=ended(paid, EscrowStatus.RELEASED), event=event, actor=actor, moves=moves, details=shown)
    waiting = replace(
        paid,
        status=EscrowStatus.FUNDED,
        signatures=(),
        validation_score_e4=None,
        review_by=None,
        review_extended_from=None,
        extended_from=None,
        deliver_by=now + timedelta(seconds=escrow.terms.deliver_seconds),
    )
    return Outcome(escrow=waiting, event=event, actor=actor, moves=moves, details=shown)


def settle_dispute(
    escrow: Escrow, *, event: str, actor: str, payee_share_e4: int, note: str | None, now: datetime
) -> Outcome:
    """Split the held amount between payee and payer; the payee's part pays commission."""
    assert escrow.dispute is not None
    gross, back = allocate(escrow.held_minor, [payee_share_e4, WHOLE_E4 - payee_share_e4])
    moves = _payout(escrow, gross)
    moves += (EscrowPosting(kind=EscrowPostingKind.REFUND, amount_minor=back),) if back else ()
    if payee_share_e4 == WHOLE_E4:
        status = EscrowStatus.RELEASED
    elif payee_share_e4 == 0 and not escrow.paid_minor:
        status = EscrowStatus.REFUNDED
    else:
        status = EscrowStatus.SPLIT
    decided = replace(
        escrow.dispute, resolved_by=actor, payee_share_e4=payee_share_e4, resolution_note=note, resolved_at=now
    )
    final = ended(replace(with_moves(escrow, moves), dispute=decided), status)
    details: dict[str, object] = {"payee_share": format_ratio(payee_share_e4)}
    details |= {"note": note} if note else {}
    return Outcome(escrow=final, event=event, actor=actor, moves=moves, details=details)


def _payout(escrow: Escrow, gross_minor: int) -> tuple[EscrowPosting, ...]:
    """Divide a gross amount by the escrow's terms and totals; see `payout`."""
    return payout(
        gross_minor, escrow.terms.commission_bps, paid_minor=escrow.paid_minor, taken_minor=escrow.commission_minor
    )


def payout(
    gross_minor: int, commission_bps: int, *, paid_minor: int = 0, taken_minor: int = 0
) -> tuple[EscrowPosting, ...]:
    """Divide a gross amount into the payee's part and the platform's commission.

    The commission is computed on the sum paid so far, less the commission already paid, so that many small parts pay
    exactly as much as one large part.

    Args:
        gross_minor: the amount to divide.
        commission_bps: the rate, in hundredths of a percent.
        paid_minor: the gross amount paid before.
        taken_minor: the commission on it.
    """
    _, owed = allocate(paid_minor + gross_minor, [WHOLE_E4 - commission_bps, commission_bps])
    commission = owed - taken_minor
    moves = (
        EscrowPosting(kind=EscrowPostingKind.RELEASE, amount_minor=gross_minor - commission),
        EscrowPosting(kind=EscrowPostingKind.COMMISSION, amount_minor=commission),
    )
    return tuple(move for move in moves if move.amount_minor)


def with_moves(escrow: Escrow, moves: tuple[EscrowPosting, ...]) -> Escrow:
    """Add postings to the escrow's totals."""
    totals = dict.fromkeys(EscrowPostingKind, 0)
    for move in moves:
        totals[move.kind] += move.amount_minor
    return replace(
        escrow,
        released_minor=escrow.released_minor + totals[EscrowPostingKind.RELEASE],
        commission_minor=escrow.commission_minor + totals[EscrowPostingKind.COMMISSION],
        refunded_minor=escrow.refunded_minor + totals[EscrowPostingKind.REFUND],
    )


def ended(escrow: Escrow, status: EscrowStatus) -> Escrow:
    """End the escrow in a final state, without deadlines and requests."""
    return replace(
        escrow,
        status=status,
        fund_by=None,
        deliver_by=None,
        review_by=None,
        review_extended_from=None,
        extended_from=None,
        cancel_requested_by=None,
    )
