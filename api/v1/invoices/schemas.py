"""What invoices look like over HTTP."""

from datetime import datetime, timedelta
from typing import Annotated

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
from domain.invoice.state import InvoiceStatus, is_overdue
from domain.money import format_amount
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
    amount: str


class InvoiceView(ResponseModel):
    """An invoice. Amounts are decimal strings of its currency."""

    id: str
    number: str = Field(description="The invoice number. Numbers are consecutive, without gaps.")
    organization_id: str
    status: InvoiceStatus
    overdue: bool
    currency: str
    total: str
    paid: str
    due: str = Field(description="The amount still to be paid; zero when the invoice is void.")
    lines: list[LineView]
    note: str | None
    issued_at: datetime
    due_at: datetime
    updated_at: datetime
    transfer_id: str = Field(description="The transfer that booked the receivable.")


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
        total=own(row.total_minor),
        paid=own(row.paid_minor),
        due=own(standing.due_minor),
        lines=[
            LineView(
                description=line.description,
                quantity=line.quantity,
                unit_amount=own(line.unit_minor),
                amount=own(line.amount_minor),
            )
            for line in invoices.lines_of(row)
        ],
        note=row.note,
        issued_at=row.issued_at,
        due_at=row.due_at,
        updated_at=row.updated_at,
        transfer_id=transfer_id(row.transfer_id),
    )


def detail(row: InvoiceRow, paid: list[InvoicePayment], now: datetime) -> InvoiceDetail:
    """Show an invoice with what each payment has paid of it."""
    shown = [
        PaidView(payment_id=each.payment_id, amount=format_amount(each.amount_minor, row.currency)) for each in paid
    ]
    return InvoiceDetail(**view(row, now).model_dump(), payments=shown)
