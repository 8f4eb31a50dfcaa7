"""What invoices look like over HTTP."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import Field

from api.fields import (
    Amount,
    Currency,
    Name,
    Note,
    OrganizationId,
    Period,
    RequestModel,
    ResponseModel,
    example,
)
from domain.ids import transfer_id
from domain.invoice.lines import MAX_LINES, MAX_QUANTITY
from domain.invoice.state import InvoiceStatus, PausedFor, is_overdue
from domain.money import format_amount, format_ratio
from domain.tax.rates import format_rate
from models.invoice import InvoicePayment, InvoiceRow
from repositories import invoice as invoices


class LineCreate(RequestModel):
    """A line of an invoice."""

    description: Name
    quantity: Annotated[int, Field(strict=True, ge=1, le=MAX_QUANTITY)] = 1
    unit_amount: Amount


class InvoiceCreate(RequestModel):
    """An invoice to issue. Its lines and its currency cannot be changed afterwards."""

    model_config = example(
        organization_id="org_01kar6h2d8e4wvq3r5s7t9x1zy",
        currency="USD",
        lines=[{"description": "Support, October", "quantity": 2, "unit_amount": "125.00"}],
        note="PO 4711",
        due_in="P30D",
    )

    organization_id: OrganizationId
    currency: Currency = Field(description="The currency; credits cannot be invoiced.", examples=["USD"])
    lines: Annotated[list[LineCreate], Field(min_length=1, max_length=MAX_LINES)]
    note: Note | None = None
    due_in: Period = timedelta(days=30)


class InvoiceVoid(RequestModel):
    """Voids an invoice; the body has no fields."""

    model_config = example()


class LineView(ResponseModel):
    """A line of an invoice."""

    description: str
    quantity: int
    unit_amount: str
    amount: str = Field(description="What the line comes to after its own discount.")
    discount: str
    net: str = Field(description="After all discounts and without tax; of a draft, the amount.")
    tax: str | None = Field(description="The code of the tax that is charged on it; null in a draft.")
    tax_code: str = Field(description="The product code that the rate is found by.")
    period_start: datetime | None
    period_end: datetime | None


class DiscountView(ResponseModel):
    """A discount on the whole invoice."""

    description: str
    amount: str | None
    share: str | None
    taken: str | None = Field(description="What it took off; null in a draft.")


class TaxView(ResponseModel):
    """The tax of one rate."""

    code: str
    category: str = Field(description="The category of EN 16931: S, Z, E, AE or O.")
    rate: str
    taxable: str
    amount: str


class InvoiceView(ResponseModel):
    """An invoice. Amounts are decimal strings of its currency."""

    id: str
    number: str | None = Field(description="Numbers of a series are consecutive, without gaps; null until it has one.")
    organization_id: str
    status: InvoiceStatus
    overdue: bool
    currency: str
    subtotal: str = Field(description="Without tax. Of a draft, the sum of its lines.")
    tax: str
    total: str
    granted_credits: str = Field(description="What granted credits took off before tax.")
    applied_credits: str = Field(description="What purchased credits pay of the total.")
    credited: str = Field(description="What credit notes took back.")
    written_off: str
    paid: str = Field(description="What payments have brought.")
    due: str = Field(description="The amount still to be paid; zero unless the invoice is open.")
    paused_for: PausedFor | None = Field(
        description="Why it is due again. It is neither charged nor dunned until an operator resumes it."
    )
    includes_tax: bool = Field(description="Whether the amounts of its lines include their tax.")
    lines: list[LineView]
    discounts: list[DiscountView]
    taxes: list[TaxView]
    note: str | None
    issued_at: datetime = Field(description="When it was finalised; of a draft, when it was made.")
    due_at: datetime
    updated_at: datetime
    transfer_id: str | None = Field(description="The transfer that booked it; null where nothing was to be booked.")


class PaidView(ResponseModel):
    """What one payment has paid of an invoice, less refunds."""

    payment_id: str
    amount: str


class InvoiceDetail(InvoiceView):
    """An invoice with its payments, oldest first. `GET /payments/{id}` shows the state of each."""

    payments: list[PaidView]


def view(row: InvoiceRow, now: datetime) -> InvoiceView:
    """Show an invoice to a client."""
    standing = invoices.standing_of(row)

    def own(amount_minor: int) -> str:
        return format_amount(amount_minor, row.currency)

    return InvoiceView(
        id=row.id,
        number=row.number,
        organization_id=row.org_id,
        status=standing.status,
        overdue=is_overdue(standing, due_at=row.due_at, now=now),
        currency=row.currency,
        subtotal=own(row.subtotal_minor),
        tax=own(row.tax_minor),
        total=own(row.total_minor),
        granted_credits=own(row.granted_minor),
        applied_credits=own(row.prepaid_minor),
        credited=own(row.credited_minor),
        written_off=own(row.written_off_minor),
        paid=own(row.paid_minor),
        due=own(standing.due_minor),
        paused_for=PausedFor(row.paused_for) if row.paused_for else None,
        includes_tax=row.includes_tax,
        lines=[_line(stored, own) for stored in row.lines],
        discounts=[
            DiscountView(
                description=each["description"],
                amount=own(each["amount_minor"]) if "amount_minor" in each else None,
                share=format_ratio(each["share_e4"]) if "share_e4" in each else None,
                taken=own(each["taken_minor"]) if "taken_minor" in each else None,
            )
            for each in row.discounts
        ],
        taxes=[
            TaxView(
                code=each["code"],
                category=each["category"],
                rate=format_rate(each["rate_e6"]),
                taxable=own(each["taxable_minor"]),
                amount=own(each["tax_minor"]),
            )
            for each in row.taxes
        ],
        note=row.note,
        issued_at=row.issued_at,
        due_at=row.due_at,
        updated_at=row.updated_at,
        transfer_id=None if row.transfer_id is None else transfer_id(row.transfer_id),
    )


def _line(stored: Mapping[str, Any], own: Callable[[int], str]) -> LineView:
    line = invoices.line_of(stored)
    return LineView(
        description=line.description,
        quantity=line.quantity,
        unit_amount=own(line.unit_minor),
        amount=own(line.amount_minor),
        discount=own(line.discount_minor),
        net=own(stored.get("net_minor", line.amount_minor)),
        tax=stored.get("tax"),
        tax_code=line.tax_code,
        period_start=line.period_start,
        period_end=line.period_end,
    )


def detail(row: InvoiceRow, paid: list[InvoicePayment], now: datetime) -> InvoiceDetail:
    """Show an invoice with what each payment has paid of it."""
    shown = [
        PaidView(payment_id=each.payment_id, amount=format_amount(each.amount_minor, row.currency)) for each in paid
    ]
    return InvoiceDetail(**view(row, now).model_dump(), payments=shown)
