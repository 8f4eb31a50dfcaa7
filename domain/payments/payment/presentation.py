"""Texts about a payment: sentences for clients, Markdown for operators in the Temporal UI. Pure."""

import json
from datetime import datetime

from domain.common.agenda import Wait
from domain.common.money import format_amount
from domain.payments.payment.agenda import AgendaInput, AgendaStep, agenda
from domain.payments.payment.purposes import rules_of
from domain.payments.payment.refundable import left_to_refund
from domain.payments.payment.state import AWAITING, IN_FLIGHT, Dispute, Payment, PaymentStatus, RefundState
from domain.payments.payment.terms import PaymentTerms

P = PaymentStatus

_STEPS = {
    AgendaStep.RECORD_ANSWER: "record the escrow's response",
    AgendaStep.FREEZE: "freeze the escrow",
    AgendaStep.END_UNCREATED: "look it up at the provider, and cancel it",
    AgendaStep.SUBMIT: "create it at the provider",
    AgendaStep.RETURN: "refund what was paid although it was to be cancelled",
    AgendaStep.SUBMIT_REFUNDS: "create the refund at the provider",
    AgendaStep.REFRESH: "refresh it from the provider",
    AgendaStep.CANCEL: "cancel it at the provider",
    AgendaStep.FULFIL: "fulfil its purpose, or refund the money",
    AgendaStep.EXPIRE: "end it, because the payer's deadline has passed",
}
#: Introduces the time until which the state lasts.
_UNTIL = {
    P.CREATED: "the payer has until",
    P.REQUIRES_ACTION: "the payer has until",
    P.PROCESSING: "the money is awaited until",
    P.REQUIRES_CAPTURE: "to be captured until",
}


def summary(terms: PaymentTerms) -> str:
    """Return the summary of the run."""
    amount = format_amount(terms.amount_minor, terms.currency)
    return f"{amount} {terms.currency} by {terms.provider} for {terms.purpose.kind.value}"


def story(payment: Payment) -> str:
    """Describe the payment in sentences: its status, what it waits for until when, refunds and disputes."""
    until = f", {_UNTIL[payment.status]} {_time(payment.ends_at)}" if payment.status in _UNTIL else ""
    parts = [f"{summary(payment.terms)}: {payment.status.value.replace('_', ' ')}{until}"]
    if payment.decline is not None:
        parts.append(f"Declined: {payment.decline.detail.rstrip('.')}")
    if payment.unknown:
        parts.append(_unknown(payment))
    if payment.cancel_requested and payment.status in AWAITING:
        parts.append("It will be cancelled, and money received until then will be returned")
    if payment.refunded_minor:
        parts.append(f"{_money(payment, payment.refunded_minor)} was refunded or is on its way")
    parts += [
        f"Chargeback of {_money(payment, dispute.amount_minor)}, {dispute.status.replace('_', ' ')}"
        + _evidence(dispute).replace("*", "")
        for dispute in payment.disputes
    ]
    return ". ".join(part[0].upper() + part[1:] for part in parts) + "."


def _unknown(payment: Payment) -> str:
    what = "made it" if payment.ref is None else "executed the last command"
    return f"It is unknown whether the provider {what}; it is being looked up"


def details(payment: Payment) -> str:
    """Return the payment's state and the signals that it accepts, as Markdown."""
    terms, purpose = payment.terms, payment.terms.purpose
    entitlement = f"{format_amount(purpose.goods_minor, purpose.goods_asset)} {purpose.goods_asset}"
    served = next(iter(rules_of(terms).subject(purpose).values()), None)
    lines = [
        f"**{payment.status.value}** · {summary(terms)}",
        "",
        f"- payment `{terms.payment_id}` of `{terms.org_id}`",
        f"- at {terms.provider}: `{payment.ref or 'nothing yet'}`"
        + (f", {payment.provider_status.value}" if payment.provider_status else ""),
        f"- buys {entitlement}" + (f" for `{served}` ({payment.fulfilment.value})" if served else ""),
        f"- received {_money(payment, payment.received_minor)}, fee {_money(payment, payment.fee_minor)}, "
        f"refunded {_money(payment, payment.refunded_minor)}",
    ]
    if payment.decline is not None:
        lines.append(f"- declined: {payment.decline.code} · {payment.decline.detail}")
    if payment.confirmations is not None:
        lines.append(f"- seen {_money(payment, payment.seen_minor)}, {payment.confirmations} confirmations")
    if payment.unknown:
        lines.append(f"- **{_unknown(payment)}**")
    if payment.cancel_requested and payment.status in AWAITING:
        lines.append(f"- to be cancelled, as `{payment.cancel_requested_by}` asked")
    lines += [
        f"- refund `{refund.refund_id}`: {_money(payment, refund.amount_minor)}, {refund.state.value}"
        + (f" ({refund.failure})" if refund.state is RefundState.FAILED else "")
        for refund in payment.refunds
    ]
    lines += [
        f"- chargeback `{dispute.ref}`: {_money(payment, dispute.amount_minor)}, {dispute.reason}, {dispute.status}"
        + _evidence(dispute)
        for dispute in payment.disputes
    ]
    if payment.debt_minor:
        lines.append(
            f"- **{format_amount(payment.debt_minor, purpose.goods_asset)} {purpose.goods_asset} came to be owed**"
        )
    if payment.status in _UNTIL:
        lines.append(f"- {_UNTIL[payment.status]} {_time(payment.ends_at)}")
    lines.append(f"- next: {_next(payment)}")
    lines += ["", "Signals accepted now; replace each …:", ""]
    lines += [f"- `{name}` `{json.dumps(shown, ensure_ascii=False)}`" for name, shown in _signals(payment)]
    return "\n".join(lines)


def _evidence(dispute: Dispute) -> str:
    if dispute.evidence_submitted_at is not None:
        return f", evidence submitted at {_time(dispute.evidence_submitted_at)}"
    if not dispute.is_open:
        return ""
    if dispute.evidence_offered_at is not None:
        due = f" until {_time(dispute.evidence_due_at)}" if dispute.evidence_due_at else ""
        return f", **the organization's evidence waits for an operator to submit it{due}**"
    return (
        f", **evidence is due by {_time(dispute.evidence_due_at)}**" if dispute.evidence_due_at else ", no evidence yet"
    )


def _next(payment: Payment) -> str:
    item = agenda(payment, payment.updated_at, AgendaInput(polled_at=payment.updated_at))
    if isinstance(item, Wait):
        return item.why
    return _STEPS.get(item, item.value)


def _signals(payment: Payment) -> list[tuple[str, dict[str, object]]]:
    taken: list[tuple[str, dict[str, object]]] = [("look", {})]
    if payment.status in AWAITING and not payment.cancel_requested:
        taken.append(("cancel", {}))
    if refundable := left_to_refund(payment):
        amount = format_amount(refundable, payment.terms.currency)
        taken.append(("refund", {"amount": amount, "reason": "…"}))
    if any(refund.state in IN_FLIGHT for refund in payment.refunds):
        taken.append(("give_up", {"at_provider": False, "reason": "…"}))
    return [(name, {name: payment.terms.payment_id, "operator": "…"} | members) for name, members in taken]


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _money(payment: Payment, amount_minor: int) -> str:
    return f"{format_amount(amount_minor, payment.terms.currency)} {payment.terms.currency}"
