"""The events that follow from a provider's reports of chargebacks (disputes); `converge.py` orders them.

An inquiry moves nothing. A dispute reserves the entitlement of the disputed amount, as far as it is left, and releases
it or claws it back when it is decided.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from domain.common.access import Actor
from domain.common.errors import PaymentEvidenceClosed
from domain.common.ids import dispute_id_of
from domain.common.money import format_amount
from domain.payments.payment.entitlement import restored_minor
from domain.payments.payment.purposes import rules_of
from domain.payments.payment.snapshot import DisputeSnapshot, DisputeStatus
from domain.payments.payment.state import (
    MAX_ITEMS,
    Dispute,
    Outcome,
    Payment,
    PaymentPosting,
    PaymentPostingKind,
    with_number,
)

#: The statuses in which the bank accepts evidence.
ACCEPTS_EVIDENCE = frozenset({DisputeStatus.INQUIRY, DisputeStatus.NEEDS_RESPONSE})
#: The order of a dispute's statuses; an older snapshot never sets an earlier one.
_ORDER = {
    DisputeStatus.INQUIRY: 0,
    DisputeStatus.NEEDS_RESPONSE: 1,
    DisputeStatus.UNDER_REVIEW: 2,
    DisputeStatus.WON: 3,
    DisputeStatus.LOST: 3,
}


def new_dispute(payment: Payment, snapshots: Iterable[DisputeSnapshot]) -> Outcome | None:
    """Open an unknown dispute, or one that was an inquiry until now."""
    known = {dispute.ref: dispute for dispute in payment.disputes}
    for snapshot in snapshots:
        dispute = known.get(snapshot.ref)
        if dispute is None and len(payment.disputes) < MAX_ITEMS and payment.received_minor:
            return _opened(payment, snapshot)
        if dispute is not None and dispute.status is DisputeStatus.INQUIRY and _moves_money(snapshot):
            return _escalated(payment, dispute, snapshot)
    return None


def _moves_money(snapshot: DisputeSnapshot) -> bool:
    return snapshot.status not in {DisputeStatus.INQUIRY, DisputeStatus.WON}


def _opened(payment: Payment, snapshot: DisputeSnapshot) -> Outcome:
    """Reserve the entitlement of the disputed amount, as far as it is left. An inquiry moves nothing."""
    # A dispute that was already decided when it is first seen opens here, and the next events decide it.
    opening = snapshot.status if snapshot.status is DisputeStatus.INQUIRY else DisputeStatus.NEEDS_RESPONSE
    rules = rules_of(payment.terms)
    entitlement = 0 if opening is DisputeStatus.INQUIRY else rules.taken_for(payment, snapshot.amount_minor)
    dispute = Dispute(
        dispute_id=dispute_id_of(payment.terms.provider, snapshot.ref),
        ref=snapshot.ref,
        status=opening,
        amount_minor=snapshot.amount_minor,
        goods_minor=entitlement,
        reason=snapshot.reason,
        opened_at=snapshot.created_at,
        evidence_due_at=snapshot.evidence_due_at,
        waiting_minor=rules.taken_from_waiting(payment, entitlement),
    )
    after = replace(payment, disputes=(*payment.disputes, dispute))
    event = "dispute_inquiry" if opening is DisputeStatus.INQUIRY else "dispute_opened"
    return _outcome(after, dispute, event, PaymentPostingKind.CLAW_BACK, entitlement - dispute.waiting_minor)


def _escalated(payment: Payment, dispute: Dispute, snapshot: DisputeSnapshot) -> Outcome:
    rules = rules_of(payment.terms)
    entitlement = rules.taken_for(payment, snapshot.amount_minor)
    opened = replace(
        dispute,
        status=DisputeStatus.NEEDS_RESPONSE,
        amount_minor=snapshot.amount_minor,
        goods_minor=entitlement,
        evidence_due_at=snapshot.evidence_due_at,
        # Evidence that was submitted for an inquiry does not answer the chargeback.
        evidence_submitted_at=None,
        waiting_minor=rules.taken_from_waiting(payment, entitlement),
    )
    elsewhere = entitlement - opened.waiting_minor
    return _outcome(payment.with_dispute(opened), opened, "dispute_opened", PaymentPostingKind.CLAW_BACK, elsewhere)


def with_new_due_date(outcome: Outcome, snapshots: Iterable[DisputeSnapshot]) -> Outcome:
    """Return a reopened dispute with its new due date for evidence."""
    due_at = {snapshot.ref: snapshot.evidence_due_at for snapshot in snapshots}
    dispute = next((item for item in outcome.payment.disputes if item.ref == outcome.debtor), None)
    if dispute is None or dispute.ref not in due_at:
        return outcome
    dated = replace(dispute, evidence_due_at=due_at[dispute.ref])
    return replace(outcome, payment=outcome.payment.with_dispute(dated))


def date_changed(payment: Payment, snapshots: Iterable[DisputeSnapshot]) -> Outcome | None:
    """Record a changed due date for evidence, if nothing else of the dispute has changed."""
    by_ref = {snapshot.ref: snapshot for snapshot in snapshots}
    for dispute in payment.disputes:
        snapshot = by_ref.get(dispute.ref)
        if snapshot is None or snapshot.status is not dispute.status or dispute.status not in ACCEPTS_EVIDENCE:
            continue
        due_at = snapshot.evidence_due_at
        if due_at is not None and due_at != dispute.evidence_due_at:
            dated = replace(dispute, evidence_due_at=due_at)
            outcome = _outcome(payment.with_dispute(dated), dated, "dispute_date_changed")
            return replace(outcome, details={**outcome.details, "evidence_due_at": due_at.isoformat()})
    return None


def dispute_changed(payment: Payment, snapshots: Iterable[DisputeSnapshot]) -> Outcome | None:
    """Record a changed status of an open dispute; an older snapshot never sets an earlier status."""
    by_ref = {snapshot.ref: snapshot for snapshot in snapshots}
    for dispute in payment.disputes:
        snapshot = by_ref.get(dispute.ref)
        if snapshot is None or not dispute.is_open or snapshot.status is dispute.status:
            continue
        if _ORDER[snapshot.status] < _ORDER[dispute.status]:
            continue
        changed = replace(dispute, status=snapshot.status, evidence_due_at=snapshot.evidence_due_at)
        if snapshot.status is DisputeStatus.LOST:
            lost = replace(changed, retired=True)
            retired = dispute.goods_minor if payment.terms.issues_entitlement and not dispute.released else 0
            return _outcome(payment.with_dispute(lost), lost, "dispute_lost", PaymentPostingKind.RETIRE, retired)
        if snapshot.status is DisputeStatus.WON:
            if dispute.moved_minor:
                continue  # the money has to come back first
            won = replace(changed, released=True)
            back = 0 if dispute.released else restored_minor(payment, dispute)
            return _outcome(payment.with_dispute(won), won, "dispute_won", PaymentPostingKind.RELEASE, back)
        return _outcome(payment.with_dispute(changed), changed, f"dispute_{snapshot.status.value}")
    return None


def offer_evidence(payment: Payment, dispute_ref: str, text: str, *, actor: Actor, at: datetime) -> Outcome:
    """Store the organization's evidence against a chargeback of its own payment; it replaces earlier evidence.

    An operator reads it and submits the answer. The bank accepts only one answer, and the disputing payer may be the
    organization itself, or have its key.

    Raises:
        Conflict: `payment.evidence_closed`, the bank accepts no more evidence, or has the answer.
    """
    dispute = next((item for item in payment.disputes if item.ref == dispute_ref), None)
    if dispute is None or dispute.status not in ACCEPTS_EVIDENCE or dispute.evidence_submitted_at is not None:
        raise PaymentEvidenceClosed("Evidence can no longer be submitted for this dispute.")
    event = "evidence_offered" if dispute.offered_evidence is None else "evidence_replaced"
    after = replace(dispute, offered_evidence=text, evidence_offered_at=at)
    return with_number(
        Outcome(
            payment=payment.with_dispute(after),
            event=event,
            actor=actor.qualified(),
            details={"dispute": dispute_ref, "amount": format_amount(dispute.amount_minor, payment.terms.currency)},
        ),
        at,
    )


def _outcome(
    payment: Payment,
    dispute: Dispute,
    event: str,
    kind: PaymentPostingKind = PaymentPostingKind.CLAW_BACK,
    goods_minor: int = 0,
) -> Outcome:
    move = PaymentPosting(kind=kind, amount_minor=goods_minor, asset=payment.terms.purpose.goods_asset)
    return Outcome(
        payment=payment,
        event=event,
        actor=f"provider:{payment.terms.provider}",
        moves=(move,) if goods_minor else (),
        details={
            "dispute": dispute.ref,
            "reason": dispute.reason,
            "amount": format_amount(dispute.amount_minor, payment.terms.currency),
        },
        debtor=dispute.ref,
    )
