"""How an escrow reads to an operator: one line for a list, and a page for the run's details. No personal data."""

from domain.escrow.deadlines import next_deadline
from domain.escrow.state import Escrow, EscrowStatus, Terms
from domain.money import format_amount, format_ratio

S = EscrowStatus

#: The Temporal server refuses a longer summary; it is counted in bytes of its encoded form, so some room is left.
MAX_SUMMARY_BYTES = 200

_WAITS_FOR = {
    S.OPEN: "the payer to fund it",
    S.FUNDED: "the agent to deliver",
    S.DELIVERED: "validation or approvals",
    S.DISPUTED: "an arbiter to decide",
}


#: What an operator can send as a signal in each state, ready to paste.
_SIGNALS = {
    S.OPEN: ('cancel {"operator": "…", "reason": "…"}',),
    S.FUNDED: ('dispute {"operator": "…", "reason": "…"}', 'cancel {"operator": "…", "reason": "…"}'),
    S.DELIVERED: ('approve {"operator": "…", "signatory": "…"}', 'dispute {"operator": "…", "reason": "…"}'),
    S.DISPUTED: ('resolve {"operator": "…", "payee_share": "0.50", "note": "…"}',),
}


def summary(terms: Terms) -> str:
    """Say in one line, which never changes, who pays whom how much."""
    text = (
        f"{terms.payer_org_id} pays {terms.agent_id} {format_amount(terms.amount_minor, terms.currency)} "
        f"{terms.currency} under {terms.contract_id}"
    )
    return text.encode()[:MAX_SUMMARY_BYTES].decode(errors="ignore")


def details(escrow: Escrow) -> str:
    """Render the state as Markdown: who owes whom what, what it waits for and until when."""
    terms, currency = escrow.terms, escrow.terms.currency

    def money(amount_minor: int) -> str:
        return f"{format_amount(amount_minor, currency)} {currency}"

    lines = [
        f"### Escrow {terms.escrow_id}: {escrow.status}",
        "",
        f"{summary(terms)}.",
        "",
        _owes(escrow, money(escrow.held_minor)),
        "",
    ]
    lines += ["| what | amount |", "|:---|---:|", f"| agreed | {money(terms.amount_minor)} |"]
    lines += [f"| funded | {money(escrow.funded_minor)} |", f"| held now | {money(escrow.held_minor)} |"]
    lines += [f"| paid to {terms.agent_id} | {money(escrow.released_minor)} |"]
    lines += [f"| commission ({terms.commission_bps / 100:g} %) | {money(escrow.commission_minor)} |"]
    lines += [f"| returned to {terms.payer_org_id} | {money(escrow.refunded_minor)} |", ""]
    if escrow.delivery and escrow.status is S.DELIVERED:
        lines += [f"- Under review: delivery {escrow.delivery.number}"]
    lines += [f"- Signatures: {len(escrow.signatures)} of {terms.required_signatures} required"]
    if terms.validation_threshold_e4 is not None:
        score = "none yet" if escrow.validation_score_e4 is None else format_ratio(escrow.validation_score_e4)
        lines += [f"- Validation score: {score}; releases at {format_ratio(terms.validation_threshold_e4)}"]
    if terms.milestones:
        lines += [f"- Milestones released: {len(escrow.milestones_released)} of {len(terms.milestones)}"]
    if escrow.dispute:
        lines += [f"- Dispute: {len(escrow.dispute.evidence)} pieces of evidence, {_verdict(escrow)}"]
    if escrow.cancel_requested_by:
        lines += ["- The payer asks to cancel; the payee has not agreed"]
    if not escrow.is_final:
        lines += ["", "Signals that it takes now: " + ", ".join(f"`{signal}`" for signal in _SIGNALS[escrow.status])]
    return "\n".join(lines)


def _owes(escrow: Escrow, held: str) -> str:
    if escrow.is_final:
        return f"Ended as **{escrow.status}**; nothing is held and nothing is owed."
    deadline = next_deadline(escrow)
    waits = f"It waits for {_WAITS_FOR[escrow.status]}."
    until = f" At {deadline.at:%Y-%m-%d %H:%M:%S} UTC, if nobody acts: {deadline.what}." if deadline else ""
    if escrow.status is S.OPEN:
        return f"{escrow.terms.payer_org_id} has not paid in yet. {waits}{until}"
    return f"{held} of {escrow.terms.payer_org_id} lie in escrow for {escrow.terms.agent_id}. {waits}{until}"


def _verdict(escrow: Escrow) -> str:
    dispute = escrow.dispute
    assert dispute is not None
    if dispute.payee_share_e4 is None:
        return "overdue, the operator was alerted" if dispute.overdue_alerted else "undecided"
    return f"{format_ratio(dispute.payee_share_e4)} to the payee"
