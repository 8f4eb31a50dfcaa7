"""What runs of monthly invoices, invoice items and the invoice to come look like over HTTP."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from api.fields import Amount, Currency, Exact, Name, OrganizationId, RequestModel, ResponseModel, Whole, example
from domain.billing.billing_run.period import month_text
from domain.billing.billing_run.status import BillingRunStatus, InvoiceItemStatus
from domain.billing.invoice.lines import MAX_QUANTITY
from domain.common.money import format_amount
from models.billing.billing_run import BilledPeriod, BillingRunRow, InvoiceItemRow
from services.billing.billing_run import UpcomingInvoice

#: A month in a request; `domain.billing.billing_run.period.parse_month` judges it.
Month = Annotated[str, StringConstraints(max_length=20)]


class BillingRunStart(RequestModel):
    """Invoices a past month."""

    model_config = example(period="2026-01")

    period: Month


class FailureView(ResponseModel):
    """An organization that could not be invoiced."""

    organization_id: str
    code: str = Field(description="The error code. See the alert `billing.invoice_failed`.")


class BillingRunView(ResponseModel):
    """The run of a month."""

    period: str
    status: BillingRunStatus
    ready_at: datetime = Field(description="When the run stops waiting for late usage.")
    started_at: datetime
    finished_at: datetime | None
    invoiced: int = Field(description="The number of organizations with an invoice, counted when the run ends.")
    empty: int = Field(description="The number of organizations with nothing to pay.")
    failed: int = Field(description="The number that could not be invoiced. Fix the cause and start the run again.")
    failures: list[FailureView] = Field(description="The first organizations that could not be invoiced.")

    @classmethod
    def of(cls, row: BillingRunRow, failures: Sequence[BilledPeriod] = ()) -> "BillingRunView":
        return cls.from_row(
            row,
            period=month_text(row.month),
            status=BillingRunStatus.RUNNING if row.finished_at is None else BillingRunStatus.DONE,
            failures=[FailureView(organization_id=each.org_id, code=each.failure or "") for each in failures],
        )


class InvoiceItemCreate(RequestModel):
    """A one-time item for the organization's next monthly invoice."""

    model_config = example(
        organization_id="org_01kar6h2d8e4wvq3r5s7t9x1zy",
        currency="USD",
        description="Onboarding",
        quantity=1,
        unit_amount="250.00",
    )

    organization_id: OrganizationId
    currency: Currency = Field(description="The currency of the organization's billing terms when left out.")
    description: Name
    quantity: Annotated[Whole, Field(ge=1, le=MAX_QUANTITY)] = 1
    unit_amount: Amount


class InvoiceItemView(ResponseModel):
    """A one-time invoice item."""

    id: str
    organization_id: str
    currency: str
    description: str
    quantity: int
    unit_amount: Exact
    amount: Exact
    status: InvoiceItemStatus
    invoice_id: str | None
    created_at: datetime

    @classmethod
    def of(cls, row: InvoiceItemRow) -> "InvoiceItemView":
        return cls.from_row(
            row,
            unit_amount=format_amount(row.unit_minor, row.currency),
            amount=format_amount(row.unit_minor * row.quantity, row.currency),
            status=_status_of(row),
        )


def _status_of(row: InvoiceItemRow) -> InvoiceItemStatus:
    if row.invoice_id is not None:
        return InvoiceItemStatus.INVOICED
    return InvoiceItemStatus.OPEN if row.removed_at is None else InvoiceItemStatus.REMOVED


class UpcomingLine(ResponseModel):
    """A line of the invoice to come."""

    description: str
    quantity: int
    amount: Exact


class UpcomingInvoiceView(ResponseModel):
    """The organization's invoice if the month ended now, with its current taxes and credits."""

    organization_id: str
    period: str
    starts_at: datetime
    ends_at: datetime
    currency: str
    lines: list[UpcomingLine]
    charges: Exact = Field(description="The usage before the volume discount.")
    volume: Exact = Field(description="The platform's charges in the month, which determine the discount.")
    discount: Exact = Field(description="The volume discount, as a share.")
    usage: Exact = Field(description="The usage after the volume discount.")
    shortfall: Exact = Field(description="The amount still missing to the minimum commitment.")
    net: Exact = Field(description="The sum of the lines, before taxes and credits.")
    granted_credits: Exact = Field(description="The amount that granted credits would take off before tax.")
    taxed_credits: Exact = Field(description="The amount that credits taxed when sold would take off before tax.")
    subtotal: Exact = Field(description="The amount left, without tax.")
    tax: Exact
    total: Exact = Field(description="With tax.")
    applied_credits: Exact = Field(description="The part of the total that other purchased credits would pay.")
    rounding: Exact = Field(description="The part of the total left off because no payment provider can charge it.")
    due: Exact = Field(description="The amount left to pay.")

    @classmethod
    def of(cls, coming: UpcomingInvoice) -> "UpcomingInvoiceView":
        prepared, columns = coming.prepared, coming.columns
        found, period, currency = prepared.found, prepared.period, prepared.version.terms.currency

        def own(amount_minor: int) -> str:
            return format_amount(amount_minor, currency)

        def sum_of(name: str) -> str:
            return own(columns.get(f"{name}_minor", 0))

        return cls(
            organization_id=prepared.org_id,
            period=month_text(period.month),
            starts_at=period.starts_at,
            ends_at=period.ends_at,
            currency=currency,
            lines=[
                UpcomingLine(description=line.description, quantity=line.quantity, amount=own(line.amount_minor))
                for line in found.lines
            ],
            charges=own(found.charges_minor),
            volume=own(found.volume_minor),
            discount=f"{found.discount_bps // 10_000}.{found.discount_bps % 10_000:04d}",
            usage=own(found.usage_minor),
            shortfall=own(found.shortfall_minor),
            net=own(found.total_minor),
            granted_credits=sum_of("granted"),
            taxed_credits=sum_of("taxed"),
            subtotal=sum_of("subtotal"),
            tax=sum_of("tax"),
            total=sum_of("total"),
            applied_credits=sum_of("prepaid"),
            rounding=sum_of("rounded"),
            due=own(columns.get("total_minor", 0) - columns.get("prepaid_minor", 0) - columns.get("rounded_minor", 0)),
        )
