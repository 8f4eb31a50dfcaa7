"""How one movement of the provider's balance is booked: the money, its fee, and the goods that go with it."""

from dataclasses import replace

from domain.money import format_amount
from domain.payment.goods import released_minor, taken_for, taken_from_waiting
from domain.payment.snapshot import DisputeStatus, Movement, MovementKind
from domain.payment.state import (
    HANDED_OVER,
    Booked,
    Dispute,
    Fulfilment,
    Move,
    MoveKind,
    Outcome,
    Payment,
    Refund,
    RefundState,
)


def book(payment: Payment, movement: Movement, *, goods: int) -> Outcome | None:
    """Return the event that books a movement; None when what caused it is not known yet.

    Args:
        payment: the payment that it belongs to.
        movement: what the provider did.
        goods: what is granted for a charge, or taken for a reversal; other kinds know their own.
    """
    match movement.kind:
        case MovementKind.CHARGE:
            return _charge(payment, movement, goods)
        case MovementKind.REFUND:
            return _refund(payment, movement)
        case MovementKind.REFUND_FAILURE:
            return _refund_failure(payment, movement)
        case MovementKind.DISPUTE:
            return _dispute(payment, movement)
        case MovementKind.DISPUTE_REVERSAL:
            return _dispute_reversal(payment, movement)
        case MovementKind.REVERSAL:
            return _reversal(payment, movement, goods)
        case MovementKind.OTHER:
            return None


def _charge(payment: Payment, movement: Movement, goods: int) -> Outcome:
    asset = payment.terms.purpose.goods_asset
    # What comes when the escrow has its money, or can no longer take it, is the organization's own.
    handed_over = payment.terms.purpose.kind in HANDED_OVER
    waits = handed_over and payment.fulfilment is Fulfilment.PENDING
    after = replace(
        payment,
        received_minor=payment.received_minor + movement.paid_minor,
        granted_minor=payment.granted_minor + goods,
        fulfilment=payment.fulfilment if handed_over else Fulfilment.DONE,
    )
    moves = [_received(movement)]
    if payment.terms.issues_goods and goods:
        moves.append(Move(kind=MoveKind.ISSUE, amount_minor=goods, asset=asset))
    if goods and not waits:
        moves.append(Move(kind=MoveKind.RELEASE, amount_minor=goods, asset=asset))
    return _outcome(after, movement, "received", moves, goods=goods)


def _refund(payment: Payment, movement: Movement) -> Outcome | None:
    refund = _refund_of(payment, movement.key)
    if refund is None:
        return None
    moved = replace(refund, moved_minor=refund.moved_minor - movement.paid_minor)
    moves = [_sent_back(movement)]
    if payment.terms.issues_goods and refund.goods_minor:
        moves.append(Move(kind=MoveKind.RETIRE, amount_minor=refund.goods_minor, asset=_goods(payment)))
    return _outcome(payment.with_refund(moved), movement, "refund_booked", moves)


def _refund_failure(payment: Payment, movement: Movement) -> Outcome | None:
    """Take the money back that a refund could not deliver, and give the goods back for it."""
    refund = _refund_of(payment, movement.key.removesuffix(":failure"))
    if refund is None or not refund.moved_minor:
        return None
    failed = replace(refund, moved_minor=0, state=RefundState.FAILED, failure=refund.failure or "returned")
    moves = [_received(movement)]
    return _outcome(
        payment.with_refund(failed),
        movement,
        "refund_failed",
        [*moves, *_given_back(payment, refund.goods_minor, released_minor(payment, refund), retired=True)],
    )


def _dispute(payment: Payment, movement: Movement) -> Outcome | None:
    dispute = _dispute_of(payment, movement)
    if dispute is None:
        return None
    if dispute.released or dispute.status is DisputeStatus.INQUIRY:
        return _withdrawn_anew(payment, dispute, movement)
    moved = replace(dispute, moved_minor=dispute.moved_minor - movement.paid_minor)
    moves = [_sent_back(movement)]
    return _outcome(payment.with_dispute(moved), movement, "dispute_withdrawn", moves)


def _withdrawn_anew(payment: Payment, dispute: Dispute, movement: Movement) -> Outcome:
    """Take money back for a dispute that holds no goods: it was won before, or only asked about."""
    paid = -movement.paid_minor
    goods = taken_for(payment, paid)
    waiting = taken_from_waiting(payment, goods)
    reopened = replace(
        dispute,
        status=DisputeStatus.NEEDS_RESPONSE,
        amount_minor=paid,
        goods_minor=goods,
        waiting_minor=waiting,
        moved_minor=paid,
        released=False,
    )
    moves = [*_seized(payment, goods - waiting), _sent_back(movement)]
    outcome = _outcome(payment.with_dispute(reopened), movement, "dispute_reopened", moves)
    return replace(outcome, debtor=dispute.ref)


def _dispute_reversal(payment: Payment, movement: Movement) -> Outcome | None:
    """Take the disputed money back and give the goods back for it, also when the dispute had been lost before."""
    dispute = _dispute_of(payment, movement)
    if dispute is None or not dispute.moved_minor or dispute.released:
        return None
    back = replace(dispute, moved_minor=0, released=True, retired=False, status=DisputeStatus.WON)
    moves = [_received(movement)]
    released = released_minor(payment, dispute)
    given = _given_back(payment, dispute.goods_minor, released, retired=dispute.retired)
    return _outcome(payment.with_dispute(back), movement, "dispute_reinstated", [*moves, *given])


def _reversal(payment: Payment, movement: Movement, goods: int) -> Outcome | None:
    """Undo a receipt that was void: what was bought is taken as far as it is there, the rest is owed."""
    after = replace(payment, reversed_minor=payment.reversed_minor - movement.paid_minor)
    waiting = taken_from_waiting(payment, goods)
    moves = [*_seized(payment, goods - waiting), _sent_back(movement)]
    if payment.terms.issues_goods and goods:
        moves.append(Move(kind=MoveKind.RETIRE, amount_minor=goods, asset=_goods(payment)))
    return _outcome(after, movement, "reversed", moves, goods=-goods, waiting=waiting)


def _seized(payment: Payment, goods: int) -> list[Move]:
    return [Move(kind=MoveKind.SEIZE, amount_minor=goods, asset=_goods(payment))] if goods else []


def _received(movement: Movement) -> Move:
    paid = movement.payment_amount_minor
    return Move(kind=MoveKind.RECEIVE, amount_minor=movement.amount_minor, asset=movement.currency, paid_minor=paid)


def _sent_back(movement: Movement) -> Move:
    paid = movement.payment_amount_minor
    return Move(
        kind=MoveKind.SEND_BACK,
        amount_minor=-movement.amount_minor,
        asset=movement.currency,
        paid_minor=None if paid is None else -paid,
    )


def _given_back(payment: Payment, goods: int, released: int, *, retired: bool) -> list[Move]:
    issued = goods if retired and payment.terms.issues_goods else 0
    moves = ((MoveKind.ISSUE, issued), (MoveKind.RELEASE, released))
    return [Move(kind=kind, amount_minor=amount, asset=_goods(payment)) for kind, amount in moves if amount]


def _outcome(
    payment: Payment, movement: Movement, event: str, moves: list[Move], *, goods: int = 0, waiting: int = 0
) -> Outcome:
    fee = movement.fee_minor
    if fee:
        moves = [*moves, Move(kind=MoveKind.FEE, amount_minor=fee, asset=movement.currency)]
    item = Booked(
        key=movement.key,
        kind=movement.kind,
        amount_minor=movement.amount_minor,
        fee_minor=fee,
        currency=movement.currency,
        paid_minor=movement.paid_minor,
        occurred_at=movement.occurred_at,
        goods_minor=goods,
        waiting_minor=waiting,
    )
    after = replace(payment, booked=(*payment.booked, item), fee_minor=payment.fee_minor + (fee or 0))
    details: dict[str, object] = {
        "movement": movement.key,
        "amount": format_amount(movement.amount_minor, movement.currency),
        "currency": movement.currency,
    }
    details |= {"fee": format_amount(fee, movement.currency)} if fee is not None else {}
    return Outcome(
        payment=after,
        event=event,
        actor=f"provider:{payment.terms.provider}",
        moves=tuple(moves),
        details=details,
        booked=movement.key,
    )


def _goods(payment: Payment) -> str:
    return payment.terms.purpose.goods_asset


def _refund_of(payment: Payment, ref: str) -> Refund | None:
    return next((refund for refund in payment.refunds if refund.ref == ref), None)


def _dispute_of(payment: Payment, movement: Movement) -> Dispute | None:
    ref = movement.key.partition(":")[0]
    return next((dispute for dispute in payment.disputes if dispute.ref == ref), None)
