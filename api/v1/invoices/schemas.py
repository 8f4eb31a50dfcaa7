"""HTTP schemas of invoices."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from api.fields import (
    Amount,
    Currency,
    Exact,
    Flag,
    Moment,
    Name,
    Note,
    OrganizationId,
    Period,
    RequestModel,
    ResponseModel,
    Share,
    Whole,
    example,
)
from api.metadata import MetadataUpdate, MetadataView, WithMetadata, shown
from domain.billing.document.content import Party
from domain.billing.invoice.collection import Collection, CollectionMethod, CollectionStatus, Pause
from domain.billing.invoice.lines import MAX_LINES, MAX_QUANTITY, STANDARD, Discount, InvoiceLine
from domain.billing.invoice.state import InvoiceStatus, PausedFor, is_overdue
from domain.billing.tax.rates import AppliedTax, format_rate
from domain.common.errors import Invalid
from domain.common.ids import transfer_id
from domain.common.money import CREDIT, format_amount, format_ratio, parse_amount, parse_ratio
from models.billing.invoice import CreditNoteRow, InvoicePayment, InvoiceRow
from models.billing.invoice_collection import InvoiceCollectionEventRow
from models.tenants.metadata import ObjectMetadata
from repositories.billing import invoice as invoices, invoice_line


class LineCreate(RequestModel):
    """A line of an invoice. Give either the price of each unit or an amount for all of them."""

    description: Name
    quantity: Annotated[Whole, Field(ge=1, le=MAX_QUANTITY)] = 1
    unit_amount: Amount | None = None
    amount: Amount | None = Field(
        default=None, description="The amount of the whole line. Zero shows something that is already paid."
    )
    discount: Amount | None = None
    tax_code: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,39}$")] = STANDARD
    period_start: Moment | None = None
    period_end: Moment | None = None

    def line(self, currency: str) -> InvoiceLine:
        """Read the line; `Invalid` names the field that is wrong."""
        if (self.unit_amount is None) == (self.amount is None):
            raise Invalid("A line must have either a unit_amount or an amount.", extra={"field": "lines"})
        return InvoiceLine(
            description=self.description,
            quantity=self.quantity,
            unit_minor=0 if self.unit_amount is None else parse_amount(self.unit_amount, currency),
            fixed_minor=None if self.amount is None else parse_amount(self.amount, currency, zero=True),
            discount_minor=0 if self.discount is None else parse_amount(self.discount, currency),
            tax_code=self.tax_code,
            period_start=self.period_start,
            period_end=self.period_end,
        )


class DiscountCreate(RequestModel):
    """A discount on the whole invoice: an amount, or a share of what remains after the earlier discounts."""

    description: Name
    amount: Amount | None = None
    share: Share | None = None

    def discount(self, currency: str) -> Discount:
        return Discount(
            description=self.description,
            amount_minor=None if self.amount is None else parse_amount(self.amount, currency),
            share_e4=None if self.share is None else parse_ratio(self.share, "share"),
        )


class InvoiceEdit(RequestModel):
    """Replaces the lines, the discounts and the note of a draft."""

    model_config = example(
        lines=[{"description": "Support, October", "amount": "250.00"}],
        discounts=[{"description": "Launch", "share": "0.10"}],
    )

    lines: Annotated[list[LineCreate], Field(max_length=MAX_LINES)]
    discounts: Annotated[list[DiscountCreate], Field(max_length=20, default_factory=list)]
    note: Note | None = None


class InvoiceCreate(WithMetadata):
    """An invoice to issue, or a draft. The lines and the currency of a finalised invoice cannot be changed."""

    model_config = example(
        organization_id="org_01kar6h2d8e4wvq3r5s7t9x1zy",
        currency="USD",
        lines=[{"description": "Support, October", "quantity": 2, "unit_amount": "125.00"}],
        note="PO 4711",
        due_in="P30D",
        external_id="INV-2026-118",
        metadata={"contract": "support"},
    )

    organization_id: OrganizationId
    currency: Currency = Field(description="The currency; credits cannot be invoiced.", examples=["USD"])
    lines: Annotated[list[LineCreate], Field(max_length=MAX_LINES)]
    discounts: Annotated[list[DiscountCreate], Field(max_length=20, default_factory=list)]
    note: Note | None = None
    due_in: Period | None = Field(
        default=None, description="The time to pay, from finalisation. By default the agreed terms, or 30 days."
    )
    includes_tax: Flag = Field(default=False, description="Whether the amounts include their tax.")
    apply_credits: Flag = Field(default=False, description="Whether the organization's credits are applied first.")
    draft: Flag = Field(default=False, description="Whether to create a draft only. `finalize` makes it an invoice.")
    collection_method: CollectionMethod | None = Field(
        default=None,
        description="How it is collected. When left out, the organization pays on its own. Not with `draft`.",
    )


class InvoiceFinalize(RequestModel):
    """Finalises a draft."""

    model_config = example(collection_method="charge_automatically")

    collection_method: CollectionMethod | None = Field(
        default=None, description="How it is collected. When left out, the organization pays on its own."
    )


class CollectionCreate(RequestModel):
    """Starts the collection of an invoice that was left to its organization until now."""

    model_config = example(collection_method="send_invoice")

    collection_method: CollectionMethod


class InvoiceAct(RequestModel):
    """A body without fields."""

    model_config = example()


class CreditNoteCreate(RequestModel):
    """A credit note to issue."""

    model_config = example(amount="25.00", reason="The report of 3 October was late")

    amount: Amount | None = Field(default=None, description="The amount with tax; all that is left when left out.")
    reason: Name


class InvoiceLineView(ResponseModel):
    """A line of an invoice."""

    description: str
    quantity: int
    unit_amount: Exact
    amount: Exact = Field(description="The amount of the line after its own discount.")
    discount: Exact
    net: Exact = Field(description="The amount after all discounts, without tax. In a draft, the same as `amount`.")
    tax: str | None = Field(description="The code of the tax charged on the line; null in a draft.")
    tax_category: str | None = Field(description="The category of EN 16931: S, Z, E, AE or O; null in a draft.")
    tax_rate: Exact | None = Field(description="The rate, such as 0.19; null in a draft.")
    tax_code: str = Field(description="The product code that determines the rate.")
    period_start: datetime | None
    period_end: datetime | None


class InvoiceDiscountView(ResponseModel):
    """A discount on the whole invoice."""

    description: str
    amount: Exact | None
    share: Exact | None
    taken: Exact | None = Field(description="The amount of the discount; null in a draft.")


class TaxView(ResponseModel):
    """The tax of one rate."""

    code: str
    category: str = Field(description="The category of EN 16931: S, Z, E, AE or O.")
    rate: Exact
    taxable: Exact
    amount: Exact


class InvoiceUpdate(MetadataUpdate):
    """The `external_id` and `metadata` of an invoice. Omitted fields stay. `PUT` replaces the lines of a draft."""

    model_config = example(external_id="INV-2026-118", metadata={"contract": "support"})


class InvoiceView(MetadataView):
    """An invoice. Amounts are decimal strings of its currency."""

    id: str
    number: str | None = Field(
        description="Numbers of a series are consecutive, without gaps. Null until it is finalised."
    )
    organization_id: str
    status: InvoiceStatus
    overdue: bool
    currency: str
    subtotal: Exact = Field(description="The total without tax. In a draft, the sum of its lines.")
    tax: Exact
    total: Exact
    granted_credits: Exact = Field(description="The amount that granted credits took off before tax.")
    taxed_credits: Exact = Field(description="The amount that credits taxed when sold took off before tax.")
    applied_credits: Exact = Field(description="The part of the total paid with other purchased credits.")
    rounding: Exact = Field(description="The part of the total left off because no payment provider can charge it.")
    credited: Exact = Field(description="The sum of its credit notes.")
    written_off: Exact
    paid: Exact = Field(description="The sum of its payments.")
    due: Exact = Field(description="The amount still to be paid; zero unless the invoice is open.")
    paused_for: PausedFor | None = Field(
        description="Why it is due again. Collection is paused until an operator resumes it."
    )
    includes_tax: bool = Field(description="Whether the amounts of its lines include tax.")
    lines: list[InvoiceLineView]
    discounts: list[InvoiceDiscountView]
    taxes: list[TaxView]
    note: str | None
    issued_at: datetime = Field(description="When it was finalised; for a draft, when it was created.")
    due_at: datetime
    updated_at: datetime
    discarded_at: datetime | None = Field(description="When the draft was discarded; null otherwise.")
    transfer_id: str | None = Field(description="The transfer that booked it; null if there was nothing to book.")


class CreditNoteView(ResponseModel):
    """A credit note. Amounts are decimal strings of the invoice's currency."""

    id: str
    number: str
    invoice_id: str
    currency: str
    amount: Exact
    net: Exact
    tax: Exact
    returned_credits: Exact = Field(description="The credits returned to the organization.")
    reason: str
    issued_at: datetime
    transfer_id: str


class PaidView(ResponseModel):
    """The amount that one payment has paid of an invoice, less refunds."""

    payment_id: str
    amount: Exact


class BilledTo(ResponseModel):
    """The buyer of an invoice: as finalised, or by the present billing profile."""

    name: str
    line1: str | None
    line2: str | None
    postal_code: str | None
    city: str | None
    country: str | None
    vat_id: str | None


class InvoiceDetail(InvoiceView):
    """An invoice with its payments, oldest first, and its credit notes. `GET /payments/{id}` shows each payment."""

    billed_to: BilledTo
    paid_at: datetime | None = Field(description="When the last of it was paid; null while it is not paid.")
    payments: list[PaidView]
    credit_notes: list[CreditNoteView]


def view(row: InvoiceRow, now: datetime, written: ObjectMetadata | None) -> InvoiceView:
    balance = invoices.balance_of(row)

    def own(amount_minor: int) -> str:
        return format_amount(amount_minor, row.currency)

    return InvoiceView.from_row(
        row,
        **shown(written),
        status=balance.status,
        overdue=is_overdue(balance, due_at=row.due_at, now=now),
        subtotal=own(row.subtotal_minor),
        tax=own(row.tax_minor),
        total=own(row.total_minor),
        granted_credits=own(row.granted_minor),
        taxed_credits=own(row.taxed_minor),
        applied_credits=own(row.prepaid_minor),
        rounding=own(row.rounded_minor),
        credited=own(row.credited_minor),
        written_off=own(row.written_off_minor),
        paid=own(row.paid_minor),
        due=own(balance.due_minor),
        paused_for=PausedFor(row.paused_for) if row.paused_for else None,
        lines=[_line(stored, tax, own) for stored, tax in zip(row.lines, invoice_line.taxes_of(row)[0], strict=True)],
        discounts=[
            InvoiceDiscountView(
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
        transfer_id=None if row.transfer_id is None else transfer_id(row.transfer_id),
    )


def _line(stored: Mapping[str, Any], tax: AppliedTax, own: Callable[[int], str]) -> InvoiceLineView:
    line, is_taxed = invoice_line.line_of(stored), "tax" in stored
    return InvoiceLineView.from_row(
        line,
        unit_amount=own(line.unit_minor),
        amount=own(line.amount_minor),
        discount=own(line.discount_minor),
        net=own(stored.get("net_minor", line.amount_minor)),
        tax=stored.get("tax"),
        tax_category=tax.category.value if is_taxed else None,
        tax_rate=format_rate(tax.rate_e6) if is_taxed else None,
    )


def detail(
    row: InvoiceRow,
    paid: list[InvoicePayment],
    notes: Iterable[CreditNoteRow],
    now: datetime,
    written: ObjectMetadata | None,
    party: Party,
) -> InvoiceDetail:
    payments = [
        PaidView(payment_id=each.payment_id, amount=format_amount(each.amount_minor, row.currency)) for each in paid
    ]
    return InvoiceDetail(
        **view(row, now, written).model_dump(),
        billed_to=BilledTo.from_row(party, postal_code=party.postcode),
        paid_at=invoices.paid_at(row, paid),
        payments=payments,
        credit_notes=[note_view(n) for n in notes],
    )


def note_view(row: CreditNoteRow) -> CreditNoteView:
    return CreditNoteView.from_row(
        row,
        amount=format_amount(row.amount_minor, row.currency),
        net=format_amount(row.net_minor, row.currency),
        tax=format_amount(row.tax_minor, row.currency),
        returned_credits=format_amount(row.credits_minor, CREDIT),
        transfer_id=transfer_id(row.transfer_id),
    )


class CollectionEventView(ResponseModel):
    """A step of a collection."""

    number: int
    event: str
    status: CollectionStatus
    at: datetime
    details: dict[str, Any]


class CollectionView(ResponseModel):
    """The collection of an invoice, and its next step."""

    invoice_id: str
    collection_method: CollectionMethod
    status: CollectionStatus
    attempts: int = Field(description="The number of charges attempted.")
    dunning_steps: int = Field(description="The number of declined charges and sent reminders.")
    dunning_days: list[int] = Field(description="The dunning schedule, in days after the first charge or the due date.")
    payment_id: str | None = Field(description="The payment in progress, or the last one.")
    next_step_at: datetime | None = Field(description="When the next step runs; null while it waits.")
    paused_for: Pause | None = Field(description="Why an operator has to decide.")
    failure_code: str | None
    failure: str | None
    timeline: list[CollectionEventView]


def collection_view(held: Collection, events: Iterable[InvoiceCollectionEventRow]) -> CollectionView:
    return CollectionView.from_row(
        held,
        collection_method=held.method,
        dunning_steps=held.steps,
        dunning_days=list(held.days),
        next_step_at=held.next_at if held.status is CollectionStatus.SCHEDULED else None,
        timeline=[CollectionEventView.from_row(each, event=each.kind) for each in events],
    )
