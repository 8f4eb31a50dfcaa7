"""What an operator reads of a payment in the Temporal UI. Pure; markdown."""

from domain.money import format_amount
from domain.payment.state import Payment, PaymentTerms, RefundState


def summary(terms: PaymentTerms) -> str:
    """Return the line that names the run."""
    amount = format_amount(terms.amount_minor, terms.currency)
    return f"{amount} {terms.currency} by {terms.provider} for {terms.purpose.kind.value}"


def details(payment: Payment) -> str:
    """Return where the payment stands and what it waits for."""
    terms, purpose = payment.terms, payment.terms.purpose
    goods = f"{format_amount(purpose.goods_minor, purpose.goods_asset)} {purpose.goods_asset}"
    served = purpose.escrow_id or purpose.invoice_id
    lines = [
        f"**{payment.status.value}** · {summary(terms)}",
        "",
        f"- payment `{terms.payment_id}` of `{terms.org_id}`",
        f"- at {terms.provider}: `{payment.ref or 'nothing yet'}`"
        + (f", {payment.provider_status.value}" if payment.provider_status else ""),
        f"- buys {goods}" + (f" for `{served}` ({payment.fulfilment.value})" if served else ""),
        f"- received {_money(payment, payment.received_minor)}, fee {_money(payment, payment.fee_minor)}, "
        f"refunded {_money(payment, payment.refunded_minor)}",
    ]
    if payment.decline is not None:
        lines.append(f"- declined: {payment.decline.code} · {payment.decline.detail}")
    if payment.confirmations is not None:
        lines.append(f"- seen {_money(payment, payment.seen_minor)}, {payment.confirmations} confirmations")
    if payment.unknown:
        lines.append("- **nobody knows whether the provider made it**; it is being looked up")
    lines += [
        f"- refund `{refund.refund_id}`: {_money(payment, refund.amount_minor)}, {refund.state.value}"
        + (f" ({refund.failure})" if refund.state is RefundState.FAILED else "")
        for refund in payment.refunds
    ]
    lines += [
        f"- chargeback `{dispute.ref}`: {_money(payment, dispute.amount_minor)}, {dispute.reason}, {dispute.status}"
        for dispute in payment.disputes
    ]
    if payment.debt_minor:
        lines.append(
            f"- **{format_amount(payment.debt_minor, purpose.goods_asset)} {purpose.goods_asset} came to be owed**"
        )
    if payment.awaits:
        lines.append(f"- the payer has until {payment.ends_at:%Y-%m-%d %H:%M} UTC")
    return "\n".join(lines)


def _money(payment: Payment, amount_minor: int) -> str:
    return f"{format_amount(amount_minor, payment.terms.currency)} {payment.terms.currency}"
