"""Invoices of Stripe as bills of a subscription."""

from collections import Counter
from collections.abc import Collection, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Literal

import stripe

from domain.billing.invoice.lines import Discount
from domain.billing.subscription.snapshot import Bill, BillLine, BillReason, BillState
from domain.common.period import Period
from providers.payments.stripe.amounts import from_stripe
from providers.payments.stripe.fields import at as time_of, field, id_of

#: The expanded fields of invoices, from which bills have their payments and permanent discounts.
EXPANDED = ["data.payments", "data.discounts.source.coupon"]
#: The approximate seconds of a month, to distinguish periods of one month and of twelve.
_MONTH = 365.25 * 86_400 / 12


def bill_of(invoice: stripe.Invoice, attached: Collection[str] = ()) -> Bill:
    """Return an invoice as a bill, without payments and discounts that were not expanded.

    `attached` are the ids of the subscription's present discounts.
    """
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
        discounts=tuple(_lasting(invoice, currency, attached)),
        payment_ref=_payment_of(invoice),
        paid_at=moment_of(paid_at),
        attempts=invoice.attempt_count,
        next_attempt_at=moment_of(invoice.next_payment_attempt),
        pay_url=invoice.hosted_invoice_url,
    )


def _line(line: stripe.InvoiceLineItem, currency: str) -> BillLine:
    pricing = field(line, "pricing")
    start, end = line.period.start, line.period.end
    return BillLine(
        description=str(line.description or ""),
        amount_minor=minor_of(line.amount, currency),
        period=Period(start=time_of(start), end=time_of(end)) if start < end else None,
        price_id=id_of(field(field(pricing, "price_details"), "price")),
        is_proration=_is_proration(line),
    )


def _lasting(invoice: stripe.Invoice, currency: str, attached: Collection[str]) -> Iterator[Discount]:
    """Return the discounts on an invoice's recurring lines that further invoices have as well, in order.

    Discounts of a single item are not on the invoice itself, so they are omitted. A deleted coupon has no duration, but
    one-time discounts are removed from the subscription after use. The deducted amount applies for a deleted coupon,
    and for one in another currency.
    """
    lines = [line for line in invoice.lines.data if not _is_proration(line)]
    months = max((round((line.period.end - line.period.start) / _MONTH) for line in lines), default=0)
    taken = Counter[str | None]()
    for line in lines:
        taken.update({id_of(each.discount): each.amount for each in field(line, "discount_amounts") or []})
    for found in field(invoice, "discounts") or []:
        coupon, off, end = field(field(found, "source"), "coupon"), taken[id_of(found)], field(found, "end")
        duration = field(coupon, "duration")
        lasts = duration == "forever" or (duration is None and id_of(found) in attached)
        if end is not None:
            lasts = round((end - found.start) / _MONTH) > months
        if coupon is None or off <= 0 or not lasts:
            continue
        name, share = str(field(coupon, "name") or id_of(coupon)), field(coupon, "percent_off")
        if share is not None:
            yield Discount(description=name, share_e4=round(Decimal(str(share)) * 100))
            continue
        if field(coupon, "amount_off") is not None and coupon.currency == invoice.currency:
            off = coupon.amount_off
        yield Discount(description=name, amount_minor=minor_of(off, currency))


def _is_proration(line: stripe.InvoiceLineItem) -> bool:
    parent = field(line, "parent")
    details = field(parent, "subscription_item_details") or field(parent, "invoice_item_details")
    return bool(field(details, "proration"))


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
    """Return a time of Stripe; None if there is none."""
    return time_of(seconds) if isinstance(seconds, int) else None
