"""The events that bring our books to the provider's state of a payment.

A snapshot without news makes no event, so webhooks may arrive twice, late or in any order, and an older snapshot
reverses nothing. Disputes and refunds are recorded before the movements that they cause are booked.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from domain.common.money import format_amount
from domain.payments.payment.chargebacks import date_changed, dispute_changed, new_dispute, with_new_due_date
from domain.payments.payment.entitlement import granted_for, not_kept_minor, remaining_minor, restored_minor
from domain.payments.payment.movements import book, settle
from domain.payments.payment.purposes import rules_of
from domain.payments.payment.snapshot import (
    BalanceTransaction,
    BalanceTransactionKind,
    ProviderStatus,
    RefundSnapshot,
    RefundStatus,
    Snapshot,
)
from domain.payments.payment.state import (
    MAX_ITEMS,
    REFUND_STATES,
    Outcome,
    Payment,
    PaymentPosting,
    PaymentPostingKind,
    PaymentStatus,
    Refund,
    RefundState,
    with_number,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """A snapshot, its time, and the value of deposits that no quote covers, by key."""

    snapshot: Snapshot
    at: datetime
    revalued: Mapping[str, int]


def converge(payment: Payment, seen: Observation) -> list[Outcome]:
    """Return the events that make the payment agree with the observation, in order; none if it does."""
    outcomes: list[Outcome] = []
    while (outcome := next_event(payment, seen)) is not None:
        outcomes.append(outcome)
        payment = outcome.payment
    return outcomes


def converge_after_command(payment: Payment, seen: Observation, *, by: str) -> list[Outcome]:
    """Return what `converge` does after a command to end the payment; if that ended it, the event names its actor.

    If it was paid meanwhile, that counts, and the event names the provider.
    """
    outcomes = converge(replace(payment, cancelled_by=by), seen)
    last = outcomes[-1] if outcomes else None
    if last is None or last.event != "progressed" or last.payment.status is not PaymentStatus.CANCELLED:
        return converge(payment, seen)
    named = Outcome(payment=last.payment, event="cancelled", actor=by, details=last.details)
    return [*outcomes[:-1], named]


def next_event(payment: Payment, seen: Observation) -> Outcome | None:
    """Return the next event that is due, numbered and with its status; None when there is none."""
    seen = replace(seen, snapshot=_as_known(payment, seen.snapshot))
    outcome = (
        _adopted(payment, seen.snapshot)
        or _charged(payment, seen)
        or _new_refund(payment, seen)
        or new_dispute(payment, seen.snapshot.disputes)
        or _moved(payment, seen)
        or _settled(payment, seen.snapshot)
        or _fee(payment, seen.snapshot)
        or _refund_changed(payment, seen)
        or dispute_changed(payment, seen.snapshot.disputes)
        or date_changed(payment, seen.snapshot.disputes)
        or _progressed(payment, seen.snapshot)
    )
    return None if outcome is None else with_number(outcome, seen.at)


def _as_known(payment: Payment, snapshot: Snapshot) -> Snapshot:
    """Return the snapshot with known refunds and reversals under their known kind.

    A provider may report the same object as a refund once, and as a reversal later.
    """
    known = {refund.ref for refund in payment.refunds if refund.ref}
    reversed_before = {item.key for item in payment.booked if item.kind is BalanceTransactionKind.REVERSAL}
    movements, refunds = list[BalanceTransaction](), list[RefundSnapshot]()
    for each in snapshot.movements:
        if each.kind is not BalanceTransactionKind.REVERSAL or each.ref is None:
            movements.append(each)
        elif each.ref in known:
            movements.append(replace(each, key=each.ref, kind=BalanceTransactionKind.REFUND))
            refunds.append(_completed(each, each.ref))
        elif each.ref == each.key or each.ref not in reversed_before:
            movements.append(each)
    refunds += [each for each in snapshot.refunds if each.ref in known or each.ref not in reversed_before]
    return replace(snapshot, movements=tuple(movements), refunds=tuple(refunds))


def _completed(movement: BalanceTransaction, ref: str) -> RefundSnapshot:
    at, amount = movement.occurred_at, -movement.paid_minor
    return RefundSnapshot(ref=ref, refund_id=None, status=RefundStatus.SUCCEEDED, amount_minor=amount, created_at=at)


def _provider(payment: Payment) -> str:
    return f"provider:{payment.terms.provider}"


def _adopted(payment: Payment, snapshot: Snapshot) -> Outcome | None:
    """Record the provider's object, once."""
    if payment.ref is not None:
        return None
    adopted = replace(
        payment,
        ref=snapshot.ref,
        unknown=False,
        # A complete payment gets its status with the next event, which books its charge.
        provider_status=snapshot.status,
        action=snapshot.action,
        decline=snapshot.decline,
        authorized_minor=snapshot.authorized_minor,
        pays_until=snapshot.pays_until,
    )
    details = {"ref": snapshot.ref, "provider_status": snapshot.status.value}
    return Outcome(payment=adopted, event="submitted", actor=_provider(payment), details=details)


def _charged(payment: Payment, seen: Observation) -> Outcome | None:
    booked = {item.key for item in payment.booked}
    for movement in seen.snapshot.movements:
        if (
            movement.kind is BalanceTransactionKind.CHARGE
            and movement.key not in booked
            # In another currency it is not what the payment was made for: reconciliation shows it.
            and movement.paid_currency == payment.terms.currency
            and _has_room(payment, movement)
        ):
            paid = movement.paid_minor
            entitlement = seen.revalued.get(movement.key)
            # The new status is recorded with its money, not by an event of its own.
            observed = _observed(payment, seen.snapshot)
            return book(
                observed, movement, entitlement=granted_for(payment, paid) if entitlement is None else entitlement
            )
    return None


def _has_room(payment: Payment, movement: BalanceTransaction) -> bool:
    """Return whether there is room to book a charge. On a chain anybody can send any number of deposits.

    Half of the room is reserved for deposits of a substantial amount, so it cannot be filled with dust.
    """
    if len(payment.booked) < MAX_ITEMS // 2:
        return True
    return len(payment.booked) < MAX_ITEMS and movement.paid_minor * MAX_ITEMS // 2 >= payment.terms.amount_minor


def _new_refund(payment: Payment, seen: Observation) -> Outcome | None:
    """Match the provider's refunds with ours; one that was made at the provider's own site is added."""
    refs, reported = {refund.ref for refund in payment.refunds}, {snapshot.ref for snapshot in seen.snapshot.refunds}
    ours = {refund.refund_id: refund for refund in payment.refunds}
    for snapshot in seen.snapshot.refunds:
        if snapshot.ref in refs:
            continue
        known = ours.get(snapshot.refund_id or "")
        # A refund given up as not made has released its entitlement, so it is added like one made there. One given up
        # as made is known by the id that an operator has entered, which may be wrong.
        if known is not None and known.counts and (known.ref is None or (known.given_up and known.ref not in reported)):
            return refund_accepted(payment, known.refund_id, snapshot)
        if snapshot.status is RefundStatus.FAILED and not _has_moved(seen.snapshot, snapshot.ref):
            continue
        if len(payment.refunds) < MAX_ITEMS and payment.received_minor:
            return _foreign_refund(payment, snapshot)
    return None


def refund_accepted(payment: Payment, refund_id: str, snapshot: RefundSnapshot) -> Outcome | None:
    """Record the provider's object for a refund of ours, once; None if that was done."""
    known = next(item for item in payment.refunds if item.refund_id == refund_id)
    if known.ref == snapshot.ref or (known.ref is not None and not known.given_up):
        return None
    # A refund that has already failed is recorded as pending here, and fails with the next event.
    state = RefundState.PENDING if snapshot.status is RefundStatus.FAILED else REFUND_STATES[snapshot.status]
    state = state if known.can_be_given_up else known.state
    taken_over = replace(known, ref=snapshot.ref, state=state, given_up=False)
    details = {"ref": snapshot.ref, "refund_id": refund_id}
    return _with_refund(payment, taken_over, "refund_submitted", details=details)


def _has_moved(snapshot: Snapshot, ref: str) -> bool:
    return any(movement.ref == ref or movement.key == ref for movement in snapshot.movements)


def _foreign_refund(payment: Payment, snapshot: RefundSnapshot) -> Outcome:
    rules = rules_of(payment.terms)
    entitlement = rules.taken_for(payment, snapshot.amount_minor)
    refund = Refund(
        refund_id=snapshot.ref,
        amount_minor=snapshot.amount_minor,
        goods_minor=entitlement,
        state=RefundState.PENDING,
        requested_by=_provider(payment),
        requested_at=snapshot.created_at,
        reason="made at the provider",
        ref=snapshot.ref,
        waiting_minor=rules.taken_from_waiting(payment, entitlement),
    )
    after = replace(payment, refunds=(*payment.refunds, refund))
    moves = _moves(
        (PaymentPostingKind.CLAW_BACK, entitlement - refund.waiting_minor, payment.terms.purpose.goods_asset)
    )
    details = {"ref": snapshot.ref, "amount": format_amount(snapshot.amount_minor, payment.terms.currency)}
    return Outcome(
        payment=after,
        event="refund_taken_over",
        actor=_provider(payment),
        moves=moves,
        details=details,
        debtor=snapshot.ref,
    )


def _moved(payment: Payment, seen: Observation) -> Outcome | None:
    """Book the movements of refunds, disputes and reversals on the provider's balance."""
    booked = {item.key for item in payment.booked}
    for movement in seen.snapshot.movements:
        new = movement.key not in booked and len(payment.booked) < MAX_ITEMS
        if (
            new
            and movement.kind not in {BalanceTransactionKind.CHARGE, BalanceTransactionKind.OTHER}
            and payment.received_minor
        ):
            is_reversal = movement.kind is BalanceTransactionKind.REVERSAL
            entitlement = _taken_by_reversal(payment, movement) if is_reversal else 0
            outcome = book(payment, movement, entitlement=entitlement)
            if outcome is not None:
                return (
                    with_new_due_date(outcome, seen.snapshot.disputes)
                    if outcome.event == "dispute_reopened"
                    else outcome
                )
    return None


def _taken_by_reversal(payment: Payment, movement: BalanceTransaction) -> int:
    """Return the entitlement that is clawed back for a void receipt.

    On a chain it is what the reversed deposit bought at its own price, as far as it is left. For any other reversal,
    and the one that leaves nothing, it is the proportional share.
    """
    reversed_minor = -movement.paid_minor
    deposit = next((item for item in payment.booked if movement.key == f"{item.key}:reorg"), None)
    if deposit is None or not_kept_minor(payment) + reversed_minor >= payment.received_minor:
        return rules_of(payment.terms).taken_for(payment, reversed_minor)
    return min(deposit.goods_minor, remaining_minor(payment))


def _settled(payment: Payment, snapshot: Snapshot) -> Outcome | None:
    """Book the settlement of a charge that was received before."""
    reported = {movement.key: movement for movement in snapshot.movements if movement.settled}
    return next(
        (
            settle(payment, item, reported[item.key])
            for item in payment.booked
            if not item.settled and item.key in reported
        ),
        None,
    )


def _fee(payment: Payment, snapshot: Snapshot) -> Outcome | None:
    """Book a fee that the provider reported later than its movement."""
    reported = {movement.key: movement for movement in snapshot.movements}
    for item in payment.booked:
        movement = reported.get(item.key)
        fee = None if movement is None else movement.fee_minor
        if item.fee_minor is None and fee is not None:
            booked = tuple(replace(b, fee_minor=fee) if b.key == item.key else b for b in payment.booked)
            after = replace(payment, booked=booked, fee_minor=payment.fee_minor + fee)
            moves = _moves((PaymentPostingKind.FEE, fee, item.currency))
            details = {"fee": format_amount(fee, item.currency), "movement": item.key}
            return Outcome(
                payment=after,
                event="fee_booked",
                actor=_provider(payment),
                moves=moves,
                details=details,
                booked=item.key,
            )
    return None


def _refund_changed(payment: Payment, seen: Observation) -> Outcome | None:
    reported = {snapshot.ref: snapshot for snapshot in seen.snapshot.refunds}
    for refund in payment.refunds:
        snapshot = reported.get(refund.ref or "")
        if snapshot is None or refund.state is RefundState.FAILED:
            continue
        state = REFUND_STATES[snapshot.status]
        if state is refund.state or (state is RefundState.PENDING and refund.state is RefundState.SUCCEEDED):
            continue
        if state is RefundState.FAILED:
            if refund.moved_minor:
                continue  # what left the provider's balance has to come back first; that movement ends the refund
            return refund_failed(payment, refund, snapshot.failure or "refused")
        return _with_refund(
            payment, replace(refund, state=state), f"refund_{state.value}", details={"refund_id": refund.refund_id}
        )
    return None


def refund_failed(payment: Payment, refund: Refund, why: str, *, code: str | None = None) -> Outcome:
    """Restore what was clawed back for a refund that has not moved the provider's balance."""
    failed = replace(refund, state=RefundState.FAILED, failure=why, failure_code=code)
    moves = _moves((PaymentPostingKind.RELEASE, restored_minor(payment, refund), payment.terms.purpose.goods_asset))
    details = {"refund_id": refund.refund_id, "failure": why} | ({"code": code} if code else {})
    return _with_refund(payment, failed, "refund_failed", details=details, moves=moves)


def _progressed(payment: Payment, snapshot: Snapshot) -> Outcome | None:
    observed = _observed(payment, snapshot)
    if observed == payment or observed.provider_status is None:
        return None
    details: dict[str, object] = {"provider_status": observed.provider_status.value}
    if observed.decline is not None and observed.decline != payment.decline:
        details |= {"decline": observed.decline.code, "detail": observed.decline.detail}
    if observed.confirmations is not None:
        details |= {
            "seen": format_amount(observed.seen_minor, payment.terms.currency),
            "confirmations": observed.confirmations,
        }
    word = "declined" if "decline" in details else "progressed"
    return Outcome(payment=observed, event=word, actor=_provider(payment), details=details)


def _observed(payment: Payment, snapshot: Snapshot) -> Payment:
    """Return the payment with the provider's status; a payment that has succeeded stays so.

    So does a payment that was ended here, while the provider only reports that it could still be paid: not every
    provider can cancel payments.
    """
    ended = {ProviderStatus.CANCELLED, ProviderStatus.EXPIRED}
    if payment.provider_status in ended and snapshot.status is ProviderStatus.REQUIRES_ACTION:
        return payment
    done = ProviderStatus.SUCCEEDED in {payment.provider_status, snapshot.status}
    # An approved payment that was declined still looks approved: only the answer to `confirm` shows the decline.
    declined = snapshot.approved and payment.decline is not None
    # An unanswered cancellation had no effect if the payment can still be paid.
    open_still = payment.unknown and snapshot.status not in ended
    return replace(
        payment,
        unknown=False,
        cancelled_by=None if open_still else payment.cancelled_by,
        provider_status=ProviderStatus.SUCCEEDED if done else snapshot.status,
        action=None if done else payment.action if declined else snapshot.action,
        decline=None if done else payment.decline if declined else snapshot.decline,
        authorized_minor=snapshot.authorized_minor,
        seen_minor=snapshot.seen_minor,
        confirmations=snapshot.confirmations,
        pays_until=snapshot.pays_until,
    )


def _with_refund(
    payment: Payment,
    refund: Refund,
    event: str,
    *,
    details: Mapping[str, object],
    moves: tuple[PaymentPosting, ...] = (),
) -> Outcome:
    after = payment.with_refund(refund)
    return Outcome(payment=after, event=event, actor=_provider(payment), moves=moves, details=details)


def _moves(*wanted: tuple[PaymentPostingKind, int, str]) -> tuple[PaymentPosting, ...]:
    return tuple(
        PaymentPosting(kind=kind, amount_minor=amount, asset=asset) for kind, amount, asset in wanted if amount
    )
