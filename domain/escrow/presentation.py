"""Texts about an escrow: the summary of its run, sentences for clients, and the run's details.

Names, and texts that people wrote, are shown only if the terms allow it: docs/reference/decisions/0009.
"""

import json

from domain.common.money import format_amount, format_ratio
from domain.common.text import as_markdown
from domain.escrow.commands import payment_of
from domain.escrow.deadlines import next_deadline
from domain.escrow.state import Escrow, EscrowStatus, Terms

S = EscrowStatus

#: The Temporal server refuses a longer summary. It counts the bytes of the encoded form, so there is a margin.
MAX_SUMMARY_BYTES = 200

_WAITS_FOR = {
    S.OPEN: "The payer has to fund it",
    S.FUNDED: "The agent has to deliver",
    S.DELIVERED: "The delivery is under review",
    S.DISPUTED: "An arbiter has to decide",
}
_CLOSED = {
    S.RELEASED: "the money was released to the agent",
    S.REFUNDED: "the money was refunded to the payer",
    S.SPLIT: "the money was split",
    S.CANCELLED: "it was cancelled",
    S.EXPIRED: "what was not delivered in time was refunded",
}

#: Signals that an operator can send in each state, with the members that not every signal has.
_SIGNALS: dict[EscrowStatus, dict[str, dict[str, str]]] = {
    S.OPEN: {"cancel": {"reason": "…"}},
    S.FUNDED: {"dispute": {"reason": "…"}, "cancel": {"reason": "…"}},
    S.DELIVERED: {"approve": {"signatory": "…"}, "dispute": {"reason": "…"}},
    S.DISPUTED: {"resolve": {"payee_share": "0.50", "note": "…"}},
}
#: The maximum length of a name in the summary.
_NAME_IN_SUMMARY = 24


def summary(terms: Terms) -> str:
    """Return the summary of the run: payer, payee and amount. It never changes."""

    def party(name: str | None, party_id: str) -> str:
        return f"{as_markdown(name, limit=_NAME_IN_SUMMARY)} ({party_id})" if name else party_id

    text = (
        f"{party(terms.payer_name, terms.payer_org_id)} pays {party(terms.agent_name, terms.agent_id)} "
        f"{format_amount(terms.amount_minor, terms.currency)} {terms.currency} under {terms.contract_id}"
    )
    return text.encode()[:MAX_SUMMARY_BYTES].decode(errors="ignore")


def details(escrow: Escrow) -> str:
    """Render the state as Markdown: amounts, parties, and what it waits for until when."""
    terms, currency = escrow.terms, escrow.terms.currency
    payer, agent = _named(terms.payer_name, terms.payer_org_id), _named(terms.agent_name, terms.agent_id)

    def money(amount_minor: int) -> str:
        return f"{format_amount(amount_minor, currency)} {currency}"

    lines = [
        f"### Escrow {terms.escrow_id}: {escrow.status}",
        "",
        f"{payer} pays {agent} {money(terms.amount_minor)} under {terms.contract_id}.",
        "",
        story(escrow),
        "",
    ]
    lines += ["| what | amount |", "|:---|---:|", f"| agreed | {money(terms.amount_minor)} |"]
    lines += [
        f"| funded{_source(escrow)} | {money(escrow.funded_minor)} |",
        f"| held now | {money(escrow.held_minor)} |",
    ]
    lines += [f"| paid to {agent} | {money(escrow.released_minor)} |"]
    lines += [f"| commission ({terms.commission_bps / 100:g} %) | {money(escrow.commission_minor)} |"]
    lines += [f"| returned to {payer} | {money(escrow.refunded_minor)} |", ""]
    if escrow.delivery and escrow.status is S.DELIVERED:
        lines += [f"- Under review: delivery {escrow.delivery.number}"]
    if escrow.review_extended_from:
        until = f"{escrow.review_extended_from:%Y-%m-%d %H:%M} UTC"
        lines += [
            f"- Review extended: it was to end at {until}; the payee is suspended, a case holds it, or the API was away"
        ]
    signed = f"{len(escrow.signatures)} of {terms.required_signatures} required{_on_behalf(escrow)}"
    lines += [f"- Signatures: {signed}{_still_to_sign(escrow)}"]
    if terms.validation_threshold_e4 is not None:
        score = "none yet" if escrow.validation_score_e4 is None else format_ratio(escrow.validation_score_e4)
        lines += [f"- Validation score: {score}; releases at {format_ratio(terms.validation_threshold_e4)}"]
    if terms.milestones:
        lines += [f"- Milestones released: {len(escrow.milestones_released)} of {len(terms.milestones)}"]
    lines += _dispute(escrow)
    if escrow.cancel_requested_by:
        lines += ["- The payer asks to cancel; the payee has not agreed"]
    lines += _signals(escrow)
    return "\n".join(lines)


def story(escrow: Escrow) -> str:
    """Return one or two sentences: the amount held, who has to act, and the next automatic step with its time."""
    if escrow.is_final:
        return f"Closed: {_CLOSED[escrow.status]}."
    deadline = next_deadline(escrow)
    waits = f"{_WAITS_FOR[escrow.status]}."
    until = f" Due {deadline.at:%Y-%m-%d %H:%M:%S} UTC; {deadline.what}." if deadline else ""
    if escrow.status is S.OPEN:
        return f"Nothing is funded yet. {waits}{until}"
    held = format_amount(escrow.held_minor, escrow.terms.currency)
    return f"{held} {escrow.terms.currency} held in escrow. {waits}{until}"


def _named(name: str | None, party_id: str) -> str:
    return f"{as_markdown(name)} (`{party_id}`)" if name else f"`{party_id}`"


def _source(escrow: Escrow) -> str:
    payment_id = payment_of(escrow.funded_from)
    return f" by `{payment_id}`" if payment_id else f" from {escrow.funded_from}" if escrow.funded_from else ""


def _on_behalf(escrow: Escrow) -> str:
    on_behalf = sum(signature.on_behalf for signature in escrow.signatures)
    return f", {on_behalf} given on behalf of signatories" if on_behalf else ""


def _still_to_sign(escrow: Escrow) -> str:
    """Name the signatories that have not signed, where names are shown."""
    if escrow.status is not S.DELIVERED or not escrow.terms.names_shown:
        return ""
    have = {signature.signatory for signature in escrow.signatures}
    names = [as_markdown(name) for name in escrow.terms.signatories if name not in have]
    return f"; {', '.join(names)} can sign" if names else ""


def _dispute(escrow: Escrow) -> list[str]:
    dispute = escrow.dispute
    if dispute is None:
        return []
    lines = [
        f"- Dispute: opened by {_who(escrow, dispute.opened_by)} at {dispute.opened_at:%Y-%m-%d %H:%M} UTC, "
        f"{_decision(escrow)}"
    ]
    if dispute.default_extended_from:
        agreed = f"{dispute.default_extended_from:%Y-%m-%d %H:%M} UTC"
        lines += [
            f"- Default extended: it was to apply at {agreed}; the payee is suspended, a case holds "
            "it, or the API was away"
        ]
    if escrow.terms.names_shown:
        lines += [f"- Why: {as_markdown(dispute.reason)}"]
    lines += [f"- Evidence: {len(dispute.evidence)} pieces; taken until {dispute.evidence_until:%Y-%m-%d %H:%M} UTC"]
    return lines


def _who(escrow: Escrow, qualified: str) -> str:
    """Name the actor: the payment of a chargeback, a party or an operator; the person only where names are shown."""
    terms, (org_id, _, principal) = escrow.terms, qualified.rpartition("/")
    if principal.startswith("payment:"):
        return f"the chargeback of `{principal.removeprefix('payment:')}`"
    role = {terms.payer_org_id: "the payer", terms.payee_org_id: "the payee", "": "an operator"}.get(org_id, org_id)
    return f"{role} ({as_markdown(principal)})" if terms.names_shown else role


def _decision(escrow: Escrow) -> str:
    dispute = escrow.dispute
    assert dispute is not None
    if dispute.payee_share_e4 is None:
        return "overdue, operators were alerted" if dispute.overdue_alerted else "undecided"
    return f"{format_ratio(dispute.payee_share_e4)} to the payee"


def _signals(escrow: Escrow) -> list[str]:
    """List the signals that are accepted now, ready to paste once every … is replaced."""
    terms = escrow.terms
    lines = []
    for name, members in _SIGNALS.get(escrow.status, {}).items():
        if name == "approve" and not terms.operator_approvals:
            continue
        shown: dict[str, object] = {name: terms.escrow_id, "operator": "…", **members}
        if name == "approve" and escrow.delivery:
            shown["delivery"] = escrow.delivery.number
        lines += [f"- `{name}` `{json.dumps(shown, ensure_ascii=False)}`"]
    return ["", "Available signals; replace each …:", "", *lines] if lines else []
