"""How one movement of the provider's balance is booked: the money, its fee, and the entitlement that goes with it."""

from dataclasses import replace

from domain.common.money import format_amount
from domain.payments.payment.entitlement import restored_minor
from domain.payments.payment.purposes import rules_of
from domain.payments.payment.snapshot import BalanceTransaction, BalanceTransactionKind, DisputeStatus
from domain.payments.payment.state import (
    BookedMovement,
    Dispute,
    Fulfilment,
    Outcome,
    Payment,
    PaymentPosting,
    PaymentPostingKind,
    Refund,
    RefundState,
)


def book(payment: Payment, movement: BalanceTransaction, *, entitlement: int) -> Outcome | None:
    """Return the event that books a movement; None when what caused it is not known yet.

    Args:
        payment: the payment that it belongs to.
        movement: what the provider did.
        entitlement: what is granted for a charge, or taken for a reversal; other kinds know their own.
    """
    match movement.kind:
        case BalanceTransactionKind.CHARGE:
            return _charge(payment, movement, entitlement)
        case BalanceTransactionKind.REFUND:
            return _refund(payment, movement)
        case BalanceTransactionKind.REFUND_FAILURE:
            return _refund_failure(payment, movement)
        case BalanceTransactionKind.DISPUTE:
            return _dispute(payment, movement)
        case BalanceTransactionKind.DISPUTE_REVERSAL:
            return _dispute_reversal(payment, movement)
        case BalanceTransactionKind.REVERSAL:
            return _reversal(payment, movement, entitlement)
        case _:  # no payment's
            return None


def _charge(payment: Payment, movement: BalanceTransaction, entitlement: int) -> Outcome:
    asset = payment.terms.purpose.goods_asset
    # What comes when the escrow has its money, or can no longer take it, is the organization's own.
    at_once = rules_of(payment.terms).at_once
    waits = not at_once and payment.fulfilment is Fulfilment.PENDING
    after = replace(
        payment,
        received_minor=payment.received_minor + movement.paid_minor,
        granted_minor=payment.granted_minor + entitlement,
        fulfilment=Fulfilment.DONE if at_once else payment.fulfilment,
    )
    moves = [_received(movement)]
    if payment.terms.issues_entitlement and entitlement:
        moves.append(PaymentPosting(kind=PaymentPostingKind.ISSUE, amount_minor=entitlement, asset=asset))
    if entitlement and not waits:
        moves.append(PaymentPosting(kind=PaymentPostingKind.RELEASE, amount_minor=entitlement, asset=asset))
    return _outcome(after, movement, "received", moves, entitlement=entitlement)


def _refund(payment: Payment, movement: BalanceTransaction) -> Outcome | None:
    refund = _refund_of(payment, movement.key)
    if refund is None:
        return None
    moved = replace(refund, moved_minor=refund.moved_minor - movement.paid_minor)
    moves = [_sent_back(movement), *_kept(payment, 0 if refund.moved_minor else refund.fee_minor)]
    if payment.terms.issues_entitlement and refund.goods_minor:
        moves.append(
            PaymentPosting(kind=PaymentPostingKind.RETIRE, amount_minor=refund.goods_minor, asset=_asset(payment))
        )
    return _outcome(payment.with_refund(moved), movement, "refund_booked", moves)


def _refund_failure(payment: Payment, movement: BalanceTransaction) -> Outcome | None:
    """Book the money that a refund could not deliver, and restore the entitlement for it."""
    refund = _refund_of(payment, movement.key.removesuffix(":failure"))
    if refund is None or not refund.moved_minor:
        return None
    failed = replace(refund, moved_minor=0, state=RefundState.FAILED, failure=refund.failure or "returned")
    moves = [_received(movement), *_kept(payment, -refund.fee_minor)]
    return _outcome(
        payment.with_refund(failed),
        movement,
        "refund_failed",
        [*moves, *_restored(payment, refund.goods_minor, restored_minor(payment, refund), retired=True)],
    )


def _dispute(payment: Payment, movement: BalanceTransaction) -> Outcome | None:
    dispute = _dispute_of(payment, movement)
    if dispute is None:
        return None
    if dispute.released or dispute.status is DisputeStatus.INQUIRY:
        return _withdrawn_anew(payment, dispute, movement)
    moved = replace(dispute, moved_minor=dispute.moved_minor - movement.paid_minor)
    moves = [_sent_back(movement)]
    return _outcome(payment.with_dispute(moved), movement, "dispute_withdrawn", moves)


def _withdrawn_anew(payment: Payment, dispute: Dispute, movement: BalanceTransaction) -> Outcome:
    """Book the money of a dispute that holds no entitlement: it was won before, or only asked about."""
    paid = -movement.paid_minor
    rules = rules_of(payment.terms)
    entitlement = rules.taken_for(payment, paid)
    waiting = rules.taken_from_waiting(payment, entitlement)
    reopened = replace(
        dispute,
        status=DisputeStatus.NEEDS_RESPONSE,
        amount_minor=paid,
        goods_minor=entitlement,
        waiting_minor=waiting,
        moved_minor=paid,
        released=False,
        # What was owed for it before was paid by what came back.
        debt_minor=0,
        # The bank decided on what it was told, and asks anew.
        evidence_submitted_at=None,
    )
    moves = [*_clawed_back(payment, entitlement - waiting), _sent_back(movement)]
    outcome = _outcome(payment.with_dispute(reopened), movement, "dispute_reopened", moves)
    return replace(outcome, debtor=dispute.ref)


def _dispute_reversal(payment: Payment, movement: BalanceTransaction) -> Outcome | None:
    """Book the disputed money and restore the entitlement for it, also when the dispute had been lost before."""
    dispute = _dispute_of(payment, movement)
    if dispute is None or not dispute.moved_minor or dispute.released:
        return None
    if movement.paid_minor < dispute.moved_minor:
        return _returned_in_part(payment, dispute, movement)
    back = replace(dispute, moved_minor=0, released=True, retired=False, status=DisputeStatus.WON)
    moves = [_received(movement)]
    released = restored_minor(payment, dispute)
    given = _restored(payment, dispute.goods_minor, released, retired=dispute.retired)
    return _outcome(payment.with_dispute(back), movement, "dispute_reinstated", [*moves, *given])


def _returned_in_part(payment: Payment, dispute: Dispute, movement: BalanceTransaction) -> Outcome:
    """Book a part of the disputed money and restore its share of the entitlement; the rest is disputed as before."""
    moved, left = dispute.moved_minor, dispute.moved_minor - movement.paid_minor
    goods = -(-dispute.goods_minor * left // moved)
    kept = replace(
        dispute,
        amount_minor=-(-dispute.amount_minor * left // moved),
        goods_minor=goods,
        waiting_minor=min(dispute.waiting_minor, goods),
        debt_minor=min(dispute.debt_minor, goods),
        moved_minor=left,
    )
    back = dispute.goods_minor - goods
    released = restored_minor(payment, dispute) - restored_minor(payment, kept)
    moves = [_received(movement), *_restored(payment, back, released, retired=dispute.retired)]
    return _outcome(payment.with_dispute(kept), movement, "dispute_returned_in_part", moves)


def _reversal(payment: Payment, movement: BalanceTransaction, entitlement: int) -> Outcome | None:
    """Undo a receipt that was void: what was bought is taken as far as it is there, the rest is owed."""
    after = replace(payment, reversed_minor=payment.reversed_minor - movement.paid_minor)
    waiting = rules_of(payment.terms).taken_from_waiting(payment, entitlement)
    moves = [*_clawed_back(payment, entitlement - waiting), _sent_back(movement)]
    if payment.terms.issues_entitlement and entitlement:
        moves.append(PaymentPosting(kind=PaymentPostingKind.RETIRE, amount_minor=entitlement, asset=_asset(payment)))
    return _outcome(after, movement, "reversed", moves, entitlement=-entitlement, waiting=waiting)


def settle(payment: Payment, item: BookedMovement, movement: BalanceTransaction) -> Outcome:
    """Return the event that books a charge on the provider's balance, with its fee, once the balance shows it.

    What was bought was given when the charge was received, for money of the exchange: this is what the exchange gets.
    """
    fee, asset = movement.fee_minor, movement.currency
    settled = replace(
        item,
        amount_minor=movement.amount_minor,
        fee_minor=fee,
        currency=asset,
        occurred_at=movement.occurred_at,
        settled=True,
    )
    moves = [PaymentPosting(kind=PaymentPostingKind.SETTLE, amount_minor=movement.amount_minor, asset=asset)]
    if fee:
        moves.append(PaymentPosting(kind=PaymentPostingKind.FEE, amount_minor=fee, asset=asset))
    booked = tuple(settled if each.key == item.key else each for each in payment.booked)
    return Outcome(
        payment=replace(payment, booked=booked, fee_minor=payment.fee_minor + (fee or 0)),
        event="settled",
        actor=f"provider:{payment.terms.provider}",
        moves=tuple(moves),
        details=_details(movement),
        booked=item.key,
    )


def _clawed_back(payment: Payment, entitlement: int) -> list[PaymentPosting]:
    return (
        [PaymentPosting(kind=PaymentPostingKind.CLAW_BACK, amount_minor=entitlement, asset=_asset(payment))]
        if entitlement
        else []
    )


def _received(movement: BalanceTransaction) -> PaymentPosting:
    paid = movement.payment_amount_minor
    if not movement.settled:
        return PaymentPosting(
            kind=PaymentPostingKind.ADVANCE, amount_minor=movement.amount_minor, asset=movement.currency
        )
    return PaymentPosting(
        kind=PaymentPostingKind.RECEIVE, amount_minor=movement.amount_minor, asset=movement.currency, paid_minor=paid
    )


def _sent_back(movement: BalanceTransaction) -> PaymentPosting:
    paid = movement.payment_amount_minor
    return PaymentPosting(
        kind=PaymentPostingKind.SEND_BACK,
        amount_minor=-movement.amount_minor,
        asset=movement.currency,
        paid_minor=None if paid is None else -paid,
    )


def _kept(payment: Payment, fee_minor: int) -> list[PaymentPosting]:
    """Keep the fee of a refund, or give it back. What was issued has left it in revenue already."""
    if payment.terms.issues_entitlement or not fee_minor:
        return []
    return [PaymentPosting(kind=PaymentPostingKind.KEEP, amount_minor=fee_minor, asset=payment.terms.currency)]


def _restored(payment: Payment, entitlement: int, released: int, *, retired: bool) -> list[PaymentPosting]:
    issued = entitlement if retired and payment.terms.issues_entitlement else 0
    moves = ((PaymentPostingKind.ISSUE, issued), (PaymentPostingKind.RELEASE, released))
    return [PaymentPosting(kind=kind, amount_minor=amount, asset=_asset(payment)) for kind, amount in moves if amount]


def _outcome(
    payment: Payment,
    movement: BalanceTransaction,
    event: str,
    moves: list[PaymentPosting],
    *,
    entitlement: int = 0,
    waiting: int = 0,
) -> Outcome:
    fee = movement.fee_minor
    if fee:
        moves = [*moves, PaymentPosting(kind=PaymentPostingKind.FEE, amount_minor=fee, asset=movement.currency)]
    tax = _tax(payment, movement)
    if tax:
        kind = PaymentPostingKind.TAX if tax > 0 else PaymentPostingKind.TAX_BACK
        moves = [*moves, PaymentPosting(kind=kind, amount_minor=abs(tax), asset=payment.terms.currency)]
    topup_fee = _topup_fee(payment, movement)
    if topup_fee:
        kind = PaymentPostingKind.TOPUP_FEE
        moves = [*moves, PaymentPosting(kind=kind, amount_minor=topup_fee, asset=payment.terms.currency)]
    item = BookedMovement(
        key=movement.key,
        kind=movement.kind,
        amount_minor=movement.amount_minor,
        fee_minor=fee,
        currency=movement.currency,
        paid_minor=movement.paid_minor,
        occurred_at=movement.occurred_at,
        goods_minor=entitlement,
        waiting_minor=waiting,
        tax_minor=tax,
        settled=movement.settled,
        topup_fee_minor=topup_fee,
    )
    after = replace(payment, booked=(*payment.booked, item), fee_minor=payment.fee_minor + (fee or 0))
    return Outcome(
        payment=after,
        event=event,
        actor=f"provider:{payment.terms.provider}",
        moves=tuple(moves),
        details=_details(movement),
        booked=movement.key,
    )


def _details(movement: BalanceTransaction) -> dict[str, object]:
    fee, currency = movement.fee_minor, movement.currency
    amount = format_amount(movement.amount_minor, currency)
    known = {"fee": format_amount(fee, currency)} if fee is not None else {}
    return {"movement": movement.key, "amount": amount, "currency": currency, **known}


def _tax(payment: Payment, movement: BalanceTransaction) -> int:
    """Return by how much a movement changes the tax of a sale that is taxed: below zero where money is returned.

    What is bought with the whole amount is taxed with its sale, as a share of it.
    """
    tax = payment.terms.tax
    if tax is None or not rules_of(payment.terms).at_once:
        return 0
    before, whole = sum(item.paid_minor for item in payment.booked), payment.terms.amount_minor
    return tax.part_of(before + movement.paid_minor, whole) - tax.part_of(before, whole)


def _topup_fee(payment: Payment, movement: BalanceTransaction) -> int:
    """Return by how much a movement changes a top-up's fee, as a share of the whole amount like its tax."""
    fee, whole = payment.terms.topup_fee_minor, payment.terms.amount_minor
    before = sum(item.paid_minor for item in payment.booked)
    return fee * max(0, before + movement.paid_minor) // whole - fee * max(0, before) // whole


def _asset(payment: Payment) -> str:
    return payment.terms.purpose.goods_asset


def _refund_of(payment: Payment, ref: str) -> Refund | None:
    return next((refund for refund in payment.refunds if refund.ref == ref), None)


def _dispute_of(payment: Payment, movement: BalanceTransaction) -> Dispute | None:
    ref = movement.key.partition(":")[0]
    return next((dispute for dispute in payment.disputes if dispute.ref == ref), None)
