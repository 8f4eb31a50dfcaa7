"""The commands of an escrow: their effects, who may give them, and in which states.

Every function is pure: it returns an `Outcome` or raises a `DomainError` and changes nothing. Validators and handlers
of the workflow call the same functions.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from domain.common import errors as refusals
from domain.common.access import Actor, Permission
from domain.common.errors import Conflict, Forbidden, Invalid
from domain.common.ids import is_id
from domain.common.money import CREDIT, check_ratio, format_amount, format_ratio
from domain.common.text import json_bytes
from domain.escrow.agent_limits import evidence_bytes, limit_agent_evidence, refuse_own_dispute
from domain.escrow.settlement import ended, release, settle_dispute, with_moves
from domain.escrow.signing import refuse_second_signature, require_delivery, signer
from domain.escrow.state import (
    ALLOWED,
    MAX_DELIVERY_BYTES,
    MAX_EVIDENCE,
    MAX_EVIDENCE_BYTES,
    RECEIPT_WINDOW,
    Artifact,
    Delivery,
    Dispute,
    Escrow,
    EscrowPosting,
    EscrowPostingKind,
    EscrowStatus,
    Evidence,
    Outcome,
    Receipt,
    Signature,
    Terms,
    is_payee,
    is_payer,
)

S = EscrowStatus

_CANNOT = {
    "fund": "The escrow cannot be funded",
    "deliver": "Work cannot be delivered",
    "validate": "A delivery cannot be scored",
    "approve": "A delivery cannot be approved",
    "dispute": "A dispute cannot be opened",
    "submit_evidence": "Evidence cannot be submitted",
    "resolve": "A dispute cannot be decided",
    "refund": "Money cannot be refunded",
    "cancel": "The escrow cannot be cancelled",
}

#: The sources of an escrow's money: the payer's prepaid credits, its cash in the contract's currency, or a payment that
#: was made for this escrow, `payment:{id}`.
CREDITS = "credits"
BALANCE = "balance"
_PAYMENT = "payment:"


def opened(terms: Terms, *, actor: Actor, now: datetime) -> Outcome:
    """Open the escrow of a contract: nothing is held yet, and the payer has until `fund_by`."""
    escrow = Escrow(
        terms=terms,
        status=S.OPEN,
        version=0,
        opened_at=now,
        updated_at=now,
        fund_by=now + timedelta(seconds=terms.fund_seconds),
    )
    return Outcome(escrow=escrow, event="opened", actor=actor.qualified())


def payment_source(payment_id: str) -> str:
    """Name a payment as the source of an escrow's money."""
    return _PAYMENT + payment_id


def payment_of(source: str | None) -> str | None:
    """Return the payment that a source names; None for every other source."""
    payment_id = (source or "").removeprefix(_PAYMENT)
    return payment_id if source == payment_source(payment_id) and is_id(payment_id, "pay") else None


def is_chargeback(actor: Actor) -> bool:
    """Return whether the actor is a payment that its payer's bank charges back, which opens a dispute."""
    return actor.is_platform and payment_of(actor.principal) is not None


def fund(escrow: Escrow, *, actor: Actor, source: str, now: datetime, amount_minor: int | None = None) -> Outcome:
    """Move the whole amount from the payer into escrow; the delivery period starts.

    With `amount_minor`, what a payment brought, it must be the escrow's amount. Such a payment is the payer's own, so
    the platform may hand its money over.
    """
    by_payment = payment_of(source) is not None
    handed_over = by_payment and actor.is_platform
    _require(handed_over or is_payer(escrow, actor), "Only the paying organization may fund an escrow.")
    _require_allowed(escrow, "fund")
    terms = escrow.terms
    if source not in {CREDITS, BALANCE} and not by_payment:
        raise Invalid("An escrow can be funded from credits, a balance or a payment only.", extra={"field": "source"})
    if not by_payment and (source == CREDITS) != (terms.currency == CREDIT):
        raise refusals.EscrowCurrencyMismatch(
            f"This contract is in {terms.currency}. Use credits for {CREDIT} and a balance for money.",
            extra={"state": escrow.status.value, "currency": terms.currency},
        )
    if amount_minor is not None and amount_minor != terms.amount_minor:
        raise refusals.EscrowAmountMismatch(
            f"The amount must be {format_amount(terms.amount_minor, terms.currency)} {terms.currency}, the "
            "contract's whole price.",
            extra={"state": escrow.status.value},
        )
    funded = replace(
        escrow,
        status=S.FUNDED,
        funded_from=source,
        funded_minor=terms.amount_minor,
        deliver_by=now + timedelta(seconds=terms.deliver_seconds),
        fund_by=None,
        extended_from=None,
    )
    moves = (EscrowPosting(kind=EscrowPostingKind.FUND, amount_minor=terms.amount_minor),)
    return Outcome(escrow=funded, event="funded", actor=actor.qualified(), moves=moves, details={"source": source})


def deliver(
    escrow: Escrow,
    *,
    actor: Actor,
    artifacts: tuple[Artifact, ...],
    note: str | None,
    milestone: str | None,
    now: datetime,
    given_at: datetime | None = None,
) -> Outcome:
    """Deliver work for review; a new delivery replaces the one under review, whose approvals no longer count.

    With `given_at` it was given then and is executed now. Here and in the other commands, periods begin when the
    command is executed, so waiting shortens nobody's time.
    """
    _require(is_payee(escrow, actor), "Only the agent of this escrow, or its organization, may deliver.")
    _require_allowed(escrow, "deliver")
    milestone = _milestone_to_deliver(escrow, milestone)
    if json_bytes(note, *_texts(artifacts)) > MAX_DELIVERY_BYTES:
        raise Invalid(f"A delivery's note and artifacts must not be longer than {MAX_DELIVERY_BYTES} bytes together.")
    delivered = replace(
        escrow,
        status=S.DELIVERED,
        delivery=Delivery(
            artifacts=artifacts,
            note=note,
            milestone=milestone,
            delivered_at=given_at or now,
            number=escrow.delivery.number + 1 if escrow.delivery else 1,
        ),
        signatures=(),
        validation_score_e4=None,
        deliver_by=None,
        review_by=now + timedelta(seconds=escrow.terms.review_seconds),
        review_extended_from=None,
        extended_from=None,
        cancel_requested_by=None,
    )
    details: dict[str, object] = {"artifacts": [_artifact(a) for a in artifacts]}
    details |= {"note": note} if note else {}
    details |= {"milestone": milestone} if milestone else {}
    return Outcome(escrow=delivered, event="delivered", actor=actor.qualified(), details=details)


def validate(
    escrow: Escrow, *, actor: Actor, score_e4: int, note: str | None, now: datetime, delivery: int | None = None
) -> Outcome:
    """Record a validator's score; at or above the contract's threshold the delivery is released.

    `delivery` is the number of the delivery that was looked at, and the score counts for no other one. It may be
    left out for the first.
    """
    _require(actor.may(Permission.VALIDATE), "Only a validator of the platform may score a delivery.")
    _require_allowed(escrow, "validate")
    require_delivery(escrow, delivery)
    threshold = escrow.terms.validation_threshold_e4
    scored = replace(escrow, validation_score_e4=score_e4)
    details: dict[str, object] = {"score": format_ratio(score_e4)}
    details |= {"threshold": format_ratio(threshold)} if threshold is not None else {}
    details |= {"note": note} if note else {}
    if threshold is None or score_e4 < threshold:
        return Outcome(escrow=scored, event="validated", actor=actor.qualified(), details=details)
    return release(scored, event="validated", actor=actor.qualified(), details=details, now=now)


def approve(
    escrow: Escrow,
    *,
    signatory: str,
    actor: Actor,
    now: datetime,
    delivery: int | None = None,
    given_at: datetime | None = None,
) -> Outcome:
    """Sign for the delivery under review, once for each signatory and person; the k-th of n signatures releases it.

    `delivery` is the number of the delivery that was looked at, and the signature counts for no other one. It may
    be left out for the first. An actor of the platform signs on behalf of the signatory, where the contract does not
    exclude it; so does whoever made the link that opened the actor's session.
    """
    if actor.signs_on_behalf and not escrow.terms.operator_approvals:
        raise refusals.EscrowOperatorApprovalsExcluded(
            "This contract excludes approvals by operators. Each signatory must sign with its own key."
        )
    if signatory not in escrow.terms.signatories:
        raise refusals.EscrowNotASignatory(f"{signatory} is not a signatory of this escrow.")
    _require_allowed(escrow, "approve")
    require_delivery(escrow, delivery)
    if any(signature.signatory == signatory for signature in escrow.signatures):
        raise refusals.AlreadySigned(f"{signatory} has already signed.", extra={"state": escrow.status.value})
    refuse_second_signature(escrow, actor)
    signature = Signature(
        signatory=signatory, signed_at=given_at or now, signed_by=signer(actor), on_behalf=actor.signs_on_behalf
    )
    signed = replace(escrow, signatures=(*escrow.signatures, signature))
    details: dict[str, object] = {
        "signatory": signatory,
        "signed_by": signature.signed_by,
        "on_behalf": signature.on_behalf,
        "signatures": len(signed.signatures),
        "required_signatures": escrow.terms.required_signatures,
    }
    if len(signed.signatures) < escrow.terms.required_signatures:
        return Outcome(escrow=signed, event="approved", actor=actor.qualified(), details=details)
    return release(signed, event="approved", actor=actor.qualified(), details=details, now=now)


def dispute(escrow: Escrow, *, actor: Actor, reason: str, now: datetime, given_at: datetime | None = None) -> Outcome:
    """Freeze the escrow until an arbiter decides, or until the default is due; no agent's key against its delivery.

    The default is the contract's. In a dispute that the payee or a chargeback opens, it is the payee's share of the
    delivery under review only.
    """
    party = is_payer(escrow, actor) or is_payee(escrow, actor) or actor.may(Permission.OPERATE)
    _require(party, "Only the two parties, or an operator, may open a dispute.")
    _require_allowed(escrow, "dispute")
    refuse_own_dispute(escrow, actor)
    terms = escrow.terms
    evidence_until = now + timedelta(seconds=terms.evidence_seconds)
    decide_by = evidence_until + timedelta(seconds=terms.decision_seconds)
    frozen = replace(
        escrow,
        status=S.DISPUTED,
        deliver_by=None,
        review_by=None,
        review_extended_from=None,
        extended_from=None,
        cancel_requested_by=None,
        dispute=Dispute(
            opened_by=actor.qualified(),
            reason=reason,
            opened_at=given_at or now,
            evidence_until=evidence_until,
            decide_by=decide_by,
            default_at=decide_by + timedelta(seconds=terms.grace_seconds),
            default_share_e4=_default_share(escrow, actor),
        ),
    )
    return Outcome(escrow=frozen, event="disputed", actor=actor.qualified(), details={"reason": reason})


def _default_share(escrow: Escrow, actor: Actor) -> int | None:
    """Return the payee's share when nobody decides, where it is less than the contract's: of what it has delivered.

    Who pays may stop work that the payee would have delivered, so then the contract's default applies. A chargeback is
    its bank's, which has taken the money back. It is rounded down to a ten-thousandth of what is held.
    """
    if is_payer(escrow, actor) or not (is_payee(escrow, actor) or is_chargeback(actor)):
        return None
    agreed = escrow.terms.dispute_default_share_e4
    share = agreed * escrow.under_review_minor // escrow.held_minor
    return share if share < agreed else None


def _recompute_default_share(escrow: Escrow) -> Escrow:
    """Have the payee's share when nobody decides be of what it has delivered, after a refund of what it has not.

    A share of the delivery under review is less than the contract's for its milestone only.
    """
    dispute, delivery = escrow.dispute, escrow.delivery
    if dispute is None or not dispute.default_share_e4 or delivery is None or not escrow.held_minor:
        return escrow
    price = next(each.amount_minor for each in escrow.terms.milestones if each.name == delivery.milestone)
    share = escrow.terms.dispute_default_share_e4 * min(price, escrow.held_minor) // escrow.held_minor
    return replace(escrow, dispute=replace(dispute, default_share_e4=share))


def submit_evidence(
    escrow: Escrow,
    *,
    actor: Actor,
    note: str,
    artifacts: tuple[Artifact, ...],
    now: datetime,
    given_at: datetime | None = None,
) -> Outcome:
    """Add a party's evidence to the open dispute while its evidence window lasts, or lasted at `given_at`.

    Each side has room of its own, so that neither can fill the other's, and an agent's key fills half of it.
    """
    _require(is_payer(escrow, actor) or is_payee(escrow, actor), "Only the two parties may submit evidence.")
    current = _open_dispute(escrow, "submit_evidence")
    submitted_at = now if given_at is None else min(given_at, now)
    if submitted_at >= current.evidence_until:
        raise refusals.EscrowEvidenceClosed(
            f"The evidence window closed at {current.evidence_until.isoformat()}.", extra={"state": escrow.status.value}
        )
    side = "payer" if is_payer(escrow, actor) else "payee"
    beside = [piece for piece in current.evidence if piece.side == side]
    taken = sum(evidence_bytes(piece.note, piece.artifacts) for piece in beside)
    if len(beside) >= MAX_EVIDENCE or taken + evidence_bytes(note, artifacts) > MAX_EVIDENCE_BYTES:
        raise refusals.EvidenceFull(
            f"A dispute can have at most {MAX_EVIDENCE} pieces of evidence of {MAX_EVIDENCE_BYTES} bytes together "
            "from each side.",
            extra={"state": escrow.status.value},
        )
    limit_agent_evidence(escrow, actor, note, artifacts)
    piece = Evidence(
        submitted_by=actor.qualified(), note=note, artifacts=artifacts, submitted_at=submitted_at, side=side
    )
    heard = replace(escrow, dispute=replace(current, evidence=(*current.evidence, piece)))
    details: dict[str, object] = {"note": note, "artifacts": [_artifact(a) for a in artifacts]}
    return Outcome(escrow=heard, event="evidence_submitted", actor=actor.qualified(), details=details)


def resolve(escrow: Escrow, *, actor: Actor, payee_share_e4: int, note: str | None, now: datetime) -> Outcome:
    """Split what is held as the arbiter decides; the payee's part pays commission, the rest is refunded."""
    _require(actor.may(Permission.ARBITRATE), "Only an arbiter of the platform may decide a dispute.")
    _open_dispute(escrow, "resolve")
    check_ratio(payee_share_e4, "payee_share")
    return settle_dispute(
        escrow, event="resolved", actor=actor.qualified(), payee_share_e4=payee_share_e4, note=note, now=now
    )


def refund(escrow: Escrow, *, actor: Actor, amount_minor: int | None) -> Outcome:
    """Refund all that is held, or part of it, as the payee decides; a full refund ends the escrow."""
    _require(is_payee(escrow, actor), "Only the payee may refund money.")
    _require_allowed(escrow, "refund")
    held = escrow.held_minor
    amount = held if amount_minor is None else amount_minor
    if not 0 < amount <= held:
        raise refusals.EscrowRefundExceedsHeld(
            f"At most {format_amount(held, escrow.terms.currency)} {escrow.terms.currency} can be refunded.",
            extra={"held": format_amount(held, escrow.terms.currency)},
        )
    moves = (EscrowPosting(kind=EscrowPostingKind.REFUND, amount_minor=amount),)
    reduced = _recompute_default_share(with_moves(escrow, moves))
    details: dict[str, object] = {"amount": format_amount(amount, escrow.terms.currency)}
    if reduced.held_minor:
        return Outcome(
            escrow=reduced, event="partially_refunded", actor=actor.qualified(), moves=moves, details=details
        )
    final = ended(reduced, S.SPLIT if reduced.paid_minor else S.REFUNDED)
    return Outcome(escrow=final, event="refunded", actor=actor.qualified(), moves=moves, details=details)


def cancel(escrow: Escrow, *, actor: Actor, reason: str | None) -> Outcome:
    """End the escrow before delivery: either party while nothing is funded; then the payee, or both.

    A payer who cancels a funded escrow asks for it; the payee's cancel grants it and needs no request before.
    """
    payer, payee = is_payer(escrow, actor), is_payee(escrow, actor)
    operator = actor.may(Permission.OPERATE)
    _require(payer or payee or operator, "Only the two parties, or an operator, may cancel an escrow.")
    _require_allowed(escrow, "cancel")
    details: dict[str, object] = {"reason": reason} if reason else {}
    if escrow.status is S.FUNDED and not (payee or operator):
        asked = replace(escrow, cancel_requested_by=actor.qualified())
        return Outcome(escrow=asked, event="cancel_requested", actor=actor.qualified(), details=details)
    held = escrow.held_minor
    moves = (EscrowPosting(kind=EscrowPostingKind.REFUND, amount_minor=held),) if held else ()
    final = ended(with_moves(escrow, moves), S.CANCELLED)
    return Outcome(escrow=final, event="cancelled", actor=actor.qualified(), moves=moves, details=details)


def final_state_error(escrow: Escrow) -> Conflict:
    """Return the refusal of every command on an escrow in a final state, whose run is over."""
    return refusals.WrongState(
        f"This escrow is {escrow.status}, which is final. No command can change it.",
        extra={"state": escrow.status.value},
    )


def with_receipt(outcome: Outcome, *, command_id: str, now: datetime, content: str | None = None) -> Outcome:
    """Give the outcome's state the next event number and the receipt of the command behind it, with its content."""
    version = outcome.escrow.version + 1
    receipt = Receipt(command_id=command_id, version=version, content=content)
    receipts = (*outcome.escrow.receipts, receipt)[-RECEIPT_WINDOW:]
    return replace(outcome, escrow=replace(outcome.escrow, version=version, receipts=receipts, updated_at=now))


def _require(allowed: bool, why_not: str) -> None:
    if not allowed:
        raise Forbidden(why_not)


def _require_allowed(escrow: Escrow, command: str) -> None:
    if escrow.status not in ALLOWED[command]:
        raise refusals.WrongState(
            f"{_CANNOT[command]} while the escrow is {escrow.status}.", extra={"state": escrow.status.value}
        )


def _texts(artifacts: tuple[Artifact, ...]) -> list[str | None]:
    return [text for artifact in artifacts for text in (artifact.uri, artifact.sha256)]


def _open_dispute(escrow: Escrow, command: str) -> Dispute:
    _require_allowed(escrow, command)
    assert escrow.dispute is not None
    return escrow.dispute


def _milestone_to_deliver(escrow: Escrow, named: str | None) -> str | None:
    milestones = escrow.terms.milestones
    if not milestones:
        if named is not None:
            raise Invalid("This contract has no milestones.", extra={"field": "milestone"})
        return None
    under_review = escrow.delivery.milestone if escrow.delivery and escrow.status is S.DELIVERED else None
    pending = [m.name for m in milestones if m.name not in escrow.milestones_released]
    chosen = named or under_review or pending[0]
    if chosen not in {m.name for m in milestones}:
        raise Invalid(f"This contract has no milestone {chosen!r}.", extra={"field": "milestone"})
    if chosen not in pending:
        raise refusals.EscrowMilestoneReleased(
            f"Milestone {chosen!r} has already been released.", extra={"state": escrow.status.value}
        )
    if under_review and chosen != under_review:
        raise refusals.WrongState(
            f"Milestone {under_review!r} is under review. Deliver the next one after its release.",
            extra={"state": escrow.status.value},
        )
    return chosen


def _artifact(artifact: Artifact) -> dict[str, object]:
    shown: dict[str, object] = {"uri": artifact.uri}
    return shown | ({"sha256": artifact.sha256} if artifact.sha256 else {})
