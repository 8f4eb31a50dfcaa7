"""Invoices of Stripe as bills of a subscription."""

from datetime import datetime
from typing import Literal

import stripe

from domain.billing.subscription.snapshot import Bill, BillLine, BillReason, BillState
from domain.common.period import Period
from providers.payments.stripe.amounts import from_stripe
from providers.payments.stripe.fields import at as time_of
from providers.payments.stripe.fields import field, id_of


def bill_of(invoice: stripe.Invoice) -> Bill:
    """Return the bill that an invoice is, with the payment that has paid it, where its payments were expanded."""
    currency = invoice.currency.upper()
    lines = tuple(_line(line, currency) for line in invoice.lines.data)
    whole = [line.period for line in lines if line.period is not None and not line.is_proration]
    paid_at = field(field(invoice, "status_transitions"), "paid_at")
    return Bill(
        ref=str(invoice.id),
        state=BillState(invoice.status or "draft"),
        reason=_reason(invoice.billing_reason),
        currency=currency,
        total_minor=minor_of(invoice.total, currency),
        paid_minor=minor_of(invoice.amount_paid, currency),
        created_at=time_of(invoice.created),
        period=max(whole, key=lambda period: period.end, default=None),
        lines=lines,
        payment_ref=_payment_of(invoice),
        paid_at=moment_of(paid_at),
        attempts=invoice.attempt_count,
        next_attempt_at=moment_of(invoice.next_payment_attempt),
        pay_url=invoice.hosted_invoice_url,
    )


def _line(line: stripe.InvoiceLineItem, currency: str) -> BillLine:
    parent, pricing = field(line, "parent"), field(line, "pricing")
    details = field(parent, "subscription_item_details") or field(parent, "invoice_item_details")
    start, end = line.period.start, line.period.end
    return BillLine(
        description=str(line.description or ""),
        amount_minor=minor_of(line.amount, currency),
        period=Period(start=time_of(start), end=time_of(end)) if start < end else None,
        price_id=id_of(field(field(pricing, "price_details"), "price")),
        is_proration=bool(field(details, "proration")),
    )


def _payment_of(invoice: stripe.Invoice) -> str | None:
    payments = field(field(invoice, "payments"), "data") or []
    paid = [each for each in payments if each.status == "paid"]
    return id_of(field(field(paid[0], "payment"), "payment_intent")) if paid else None


def _reason(reason: str | None) -> BillReason:
    known: dict[str, BillReason] = {each.value: each for each in BillReason}
    return known.get(reason or "", BillReason.OTHER)


def minor_of(amount: int, currency: str) -> int:
    """Return an amount of Stripe in minor units of our scale; it may be negative."""
    size = from_stripe(abs(amount), currency)
    return size if amount >= 0 else -size


def moment_of(seconds: int | Literal["now"] | None) -> datetime | None:
    """Return a time of Stripe; None where there is none."""
    return time_of(seconds) if isinstance(seconds, int) else None
